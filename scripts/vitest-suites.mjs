// @ts-check
// Runs every Vitest project and counts from the JSON report, never from printed text.
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative, sep } from "node:path";
import { root, run, say } from "./steps.mjs";

/** The folders of `test/` that must each have run something. */
export const suites = ["unit", "contract", "sim", "tidy", "package", "real"];

/**
 * @typedef {{ status: string, fullName?: string, meta?: { refused?: string } }} AssertionResult
 */

/**
 * @typedef {object} VitestReport
 * @property {number} numPassedTests
 * @property {number} numFailedTests
 * @property {number} numPendingTests
 * @property {number} numTodoTests
 * @property {{ name: string, status: string, message?: string,
 *              assertionResults: AssertionResult[] }[]} testResults
 */

/** How reports call tests that did not run. */
const leftOut = ["skipped", "pending", "todo", "disabled"];

/**
 * Runs suites, or folders below them; one that ran no test, and a file that could not be loaded, counts as failed.
 *
 * @param {readonly string[]} parts paths below `test/`
 * @param {Readonly<Record<string, string>>} [env] besides this process's
 */
export async function runVitest(parts, env = {}) {
  const folder = await mkdtemp(join(tmpdir(), "microagent-report-"));
  try {
    const report = join(folder, "vitest.json");
    const vitest = join(root, "node_modules", "vitest", "vitest.mjs");
    const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${report}`];
    const folders = parts.map((part) => `test/${part}/`);
    const words = [vitest, "run", ...folders, ...reporters];
    const status = await run(process.execPath, words, { env: { ...process.env, ...env } });
    const text = await readFile(report, "utf8").catch(() => null);
    if (text === null) {
      say("Vitest ended without a report");
      return { passed: 0, failed: 1, skipped: 0 };
    }
    sayShares(JSON.parse(text));
    return countReport(JSON.parse(text), status, [...new Set(folders.map(suiteOf))]);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const sharesMax = 12;

/**
 * Names the files that took longest.
 *
 * @param {{ testResults: { name: string, startTime: number, endTime: number }[] }} report
 */
function sayShares({ testResults }) {
  const files = testResults
    .map(({ name, startTime, endTime }) => ({ name, seconds: (endTime - startTime) / 1000 }))
    .sort((a, b) => b.seconds - a.seconds);
  for (const { name, seconds } of files.slice(0, sharesMax)) {
    say(`${seconds.toFixed(1).padStart(7)} s ${relative(root, name)}`);
  }
}

/** @param {string} path below the root @returns {string} */
function suiteOf(path) {
  return path.split("/")[1] ?? "";
}

/**
 * Counts what a report tells, and as failures also what it does not tell: suites that ran nothing, files that could
 * not be loaded, errors outside of any test.
 *
 * @param {VitestReport} report @param {number} status Vitest's exit code
 * @param {readonly string[]} [expected] the suites that must have run something
 */
export function countReport(report, status, expected = suites) {
  let failed = report.numFailedTests;
  /** @type {Map<string, number>} */
  const ran = new Map(expected.map((suite) => [suite, 0]));
  for (const file of report.testResults) {
    const done = file.assertionResults.filter((test) => ["passed", "failed"].includes(test.status));
    const suite = suiteOf(relative(root, file.name).replaceAll(sep, "/"));
    ran.set(suite, (ran.get(suite) ?? 0) + done.length);
    for (const test of file.assertionResults) {
      if (!leftOut.includes(test.status)) continue;
      const name = `${relative(root, file.name)} "${test.fullName ?? ""}"`;
      const reason = test.meta?.refused;
      say(
        reason === undefined ? `FAIL ${name}: skipped without a reason` : `skip ${name}: ${reason}`,
      );
      if (reason === undefined) failed++;
    }
    if (file.status === "failed" && !done.some((test) => test.status === "failed")) {
      say(`FAIL ${relative(root, file.name)}: ${file.message ?? "it could not be loaded"}`);
      failed++;
    }
  }
  for (const [suite, count] of ran) {
    say(`test/${suite}: ${count} tests`);
    if (count > 0) continue;
    say(`FAIL test/${suite}: it ran no test`);
    failed++;
  }
  // Errors outside of any test (an unhandled rejection) leave only the exit code.
  if (status !== 0 && failed === 0) failed++;
  const skipped = report.numPendingTests + report.numTodoTests;
  return { passed: report.numPassedTests, failed, skipped };
}
