import { withEntities } from "./entities.ts";
import { type NamedRun, tallyOf } from "./merge.ts";
import { outcomeOf, outcomeText, wallMs } from "./outcome.ts";

/** Characters of a captured output that a report carries, from its end. */
const outputLength = 64 * 1024;

/** One test case for each run, in the form that CI systems read. */
export function junitXml(runs: readonly NamedRun[]): string {
  const { failed, broken } = tallyOf(runs);
  const seconds = runs.reduce((sum, { run }) => sum + wallMs(run) / 1000, 0);
  const counts = `tests="${runs.length}" failures="${failed}" errors="${broken}" time="${seconds.toFixed(3)}"`;
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites ${counts}>`,
    `<testsuite name="microagent" ${counts}>`,
    ...runs.map(testCase),
    "</testsuite>",
    "</testsuites>",
    "",
  ].join("\n");
}

function testCase({ name, run }: NamedRun): string {
  const outcome = outcomeOf(run);
  const tag = outcome === "failed" ? "failure" : "error";
  const verdict =
    outcome === "passed"
      ? ""
      : `<${tag} message="${xml(outcomeText(run))}" type="${xml(kind(run))}"/>`;
  const out = run.result === null ? "" : captured("system-out", run.result.stdout);
  const err = run.result === null ? "" : captured("system-err", run.result.stderr);
  const time = (wallMs(run) / 1000).toFixed(3);
  return `<testcase classname="microagent" name="${xml(name)}" time="${time}">${verdict}${out}${err}</testcase>`;
}

function kind(run: NamedRun["run"]): string {
  return run.error?.code ?? run.termination.kind;
}

function captured(tag: string, text: string): string {
  return text === "" ? "" : `<${tag}>${xml(text.slice(-outputLength))}</${tag}>`;
}

/** XML 1.0 has no way to write most controls: they are shown as replaced. */
function xml(text: string): string {
  return withEntities(text.replace(/(?![\t\n\r])\p{Cc}|\p{Cs}|[\ufffe\uffff]/gu, "\ufffd"));
}
