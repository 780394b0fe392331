// @ts-check
// Runs every Vitest project and counts from the JSON report, never from printed text.
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative, sep } from "node:path";
import { root, run, say } from "./steps.mjs";

/** The folders of `test/` that must each have run something. */
export const suites = ["unit", "contract", "sim", "tidy", "package", "real"];

/**
 * @typedef {object} VitestReport
 * @property {number} numPassedTests
 * @property {number} numFailedTests
 * @property {number} numPendingTests
 * @property {number} numTodoTests
 * @property {{ name: string, status: string, message?: string,
 *              assertionResults: { status: string }[] }[]} testResults
 */

/** Runs all suites; one that ran no test, and one that could not be loaded, counts as failed. */
export async function runVitest() {
  const folder = await mkdtemp(join(tmpdir(), "microagent-report-"));
  try {
    const report = join(folder, "vitest.json");
    const vitest = join(root, "node_modules", "vitest", "vitest.mjs");
    const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${report}`];
    const status = await run(process.execPath, [vitest, "run", ...reporters]);
    const text = await readFile(report, "utf8").catch(() => null);
    if (text === null) {
      say("Vitest ended without a report");
      return { passed: 0, failed: 1, skipped: 0 };
    }
    return countReport(JSON.parse(text), status);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/**
 * Counts what a report tells, and as failures also what it does not tell: suites that ran nothing, files that could
 * not be loaded, errors outside of any test.
 *
 * @param {VitestReport} report @param {number} status Vitest's exit code
 */
export function countReport(report, status) {
  let failed = report.numFailedTests;
  /** @type {Map<string, number>} */
  const ran = new Map(suites.map((suite) => [suite, 0]));
  for (const file of report.testResults) {
    const done = file.assertionResults.filter((test) => ["passed", "failed"].includes(test.status));
    const suite = relative(join(root, "test"), file.name).split(sep)[0] ?? "";
    ran.set(suite, (ran.get(suite) ?? 0) + done.length);
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
