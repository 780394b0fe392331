import { MicroagentError } from "../base/errors.ts";
import type { Op } from "../base/op.ts";
import { writeFileAtomic } from "../host/files.ts";
import { junitXml } from "./junit.ts";
import { markdownSummary } from "./markdown.ts";
import { readRuns, tallyOf } from "./merge.ts";
import { type Outcome, outcomeOf } from "./outcome.ts";
import { reportPage } from "./page.ts";
import { readDecisions } from "./recorded-decisions.ts";
import { readRecordedRun } from "./recorded-run.ts";

/** One merged report; keys as in JSON output. */
export interface MergedReport {
  readonly runs: readonly {
    readonly name: string;
    readonly outcome: Outcome;
    readonly exit_code: number;
  }[];
  readonly passed: number;
  readonly failed: number;
  readonly broken: number;
  readonly markdown: string;
  readonly junit: string;
}

/**
 * The page of the run whose output directory (or `result.json`) `path` is. Fails with
 * `result_not_found` or `result_invalid`.
 */
export async function renderReportPage(op: Op, path: string): Promise<string> {
  const run = await readRecordedRun(op, path);
  return reportPage(run, await readDecisions(op, path));
}

/** The records of several runs as one summary and one JUnit document; fails as reading one does. */
export async function mergeReports(op: Op, paths: readonly string[]): Promise<MergedReport> {
  if (paths.length === 0) throw new MicroagentError("usage", "No record of a run was given");
  const runs = await readRuns(op, paths);
  return {
    runs: runs.map(({ name, run }) => ({
      name,
      outcome: outcomeOf(run),
      exit_code: run.exit_code,
    })),
    ...tallyOf(runs),
    markdown: markdownSummary(runs),
    junit: junitXml(runs),
  };
}

/** Writes a report so that readers see all of it or nothing; readable by others, as CI needs it. */
export async function writeReport(path: string, text: string): Promise<void> {
  await writeFileAtomic(path, text, { mode: 0o644 });
}
