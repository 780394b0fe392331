import { endGroup, startGroup } from "@actions/core";
import { bytesText, durationText } from "../src/index.ts";
import type { EgressFacts } from "./run-facts.ts";
import { say } from "./say.ts";
import type { StepResult } from "./step-result.ts";

const linesMax = 100;
/** Lines about entries that were left out. */
const omissionLinesMax = 20;

/** What came out, and what the guest did on the network, folded at the end of the job's log. */
export function tellReceipt(result: StepResult, egress: EgressFacts): void {
  const { artifacts, omissions, omissionCount, missing, incomplete } = result.outputs;
  const took = result.timingsMs.outputs;
  group("Collect", [
    ...(took === undefined ? [] : [`outputs: ${durationText(took)}`]),
    ...artifacts.map(
      ({ path, sizeBytes, sha256 }) =>
        `${path}: ${bytesText(sizeBytes)}${sha256 === null ? "" : `, sha256 ${sha256}`}`,
    ),
    ...omissions
      .slice(0, omissionLinesMax)
      .map(({ guestPath, type, reason }) => `${guestPath} (${type}) stays: ${reason}`),
    ...(omissionCount > omissionLinesMax
      ? [`${omissionCount - omissionLinesMax} more entries stay`]
      : []),
    ...missing.map((name) => `${name}: missing`),
    ...incomplete.map(({ output, error }) => `${output}: ${error.message}`),
  ]);
  group("Receipt", [
    ...egress.denied.map(([host, count]) => `refused ${count} times: ${host}`),
    ...egress.allowed.map(([host, count]) => `allowed ${count} times: ${host}`),
    ...(egress.problem === null ? [] : [`The record is not whole: ${egress.problem}`]),
  ]);
}

function group(title: string, lines: readonly string[]): void {
  if (lines.length === 0) return;
  startGroup(title);
  for (const line of lines.slice(0, linesMax)) say(line);
  if (lines.length > linesMax) say(`and ${lines.length - linesMax} more`);
  endGroup();
}
