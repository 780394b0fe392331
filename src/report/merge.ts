import { basename, dirname, resolve } from "node:path";
import { MicroagentError } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import type { Op } from "../base/op.ts";
import { type Outcome, outcomeOf } from "./outcome.ts";
import { type RecordedRun, readRecordedRun } from "./recorded-run.ts";

export interface NamedRun {
  /** The workspace, with its directory where several runs share the name. */
  readonly name: string;
  readonly run: RecordedRun;
}

/**
 * Reads the records of several runs, in the order given. One that cannot be read fails the whole:
 * a summary that leaves a run out would look better than the truth.
 */
export async function readRuns(op: Op, paths: readonly string[]): Promise<readonly NamedRun[]> {
  const max = limits.report.runsMax;
  if (paths.length > max) {
    throw new MicroagentError(
      "invalid_argument",
      `${paths.length} records were given, at most ${max} are merged`,
    );
  }
  const read: { path: string; run: RecordedRun }[] = [];
  for (const path of paths) read.push({ path, run: await readRecordedRun(op, path) });
  const names = new Map<string, number>();
  for (const { run } of read) names.set(run.workspace, (names.get(run.workspace) ?? 0) + 1);
  return read.map(({ path, run }) => ({
    name: names.get(run.workspace) === 1 ? run.workspace : `${run.workspace} (${folder(path)})`,
    run,
  }));
}

/** How many runs came to which end. */
export function tallyOf(runs: readonly NamedRun[]): Readonly<Record<Outcome, number>> {
  const tally = { passed: 0, failed: 0, broken: 0 };
  for (const { run } of runs) tally[outcomeOf(run)] += 1;
  return tally;
}

function folder(path: string): string {
  const whole = resolve(path);
  return basename(whole.endsWith(".json") ? dirname(whole) : whole);
}
