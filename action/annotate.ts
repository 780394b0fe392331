import type { DispatchResult, LoadedSpec, RunPlan } from "../src/index.ts";
import type { Annotations } from "./annotations.ts";
import { sentenceOf } from "./conclusion.ts";
import type { EgressFacts } from "./run-facts.ts";

const hostsMax = 3;

/** What people should see at the places where they would mend it. */
export function annotateRun(
  annotations: Annotations,
  plan: RunPlan,
  result: DispatchResult,
  egress: EgressFacts,
  spec: LoadedSpec | null,
): void {
  const file = plan.specFile ?? undefined;
  const end = result.termination;
  const passed = end.kind === "exited" && end.exitCode === 0;
  if (!passed) {
    annotations.add("error", sentenceOf(end), {
      title: `microagent: ${result.workspace}`,
      ...placeOf(file, lineOf(spec, /^\s+entry\s*:/m)),
    });
  }
  for (const [host, count] of egress.denied.slice(0, hostsMax)) {
    annotations.add(
      "warning",
      `The guest asked for "${host}" ${count} times and was refused. To allow it, add under "agent": allow: [${host}]`,
      { title: "microagent: egress", ...placeOf(file, lineOf(spec, /^agent\s*:/m)) },
    );
  }
  if (egress.problem !== null) {
    annotations.add("warning", `The record of egress decisions is not whole: ${egress.problem}`);
  }
  for (const name of result.outputs.missing) {
    annotations.add("warning", `Output "${name}" does not exist in the guest`, {
      title: "microagent: artifacts",
      ...placeOf(file, lineOf(spec, /^outputs\s*:/m)),
    });
  }
}

function placeOf(file: string | undefined, line: number | null) {
  return file === undefined ? {} : { file, ...(line === null ? {} : { startLine: line }) };
}

function lineOf(spec: LoadedSpec | null, pattern: RegExp): number | null {
  const found = spec === null ? null : pattern.exec(spec.source.text);
  if (spec === null || found === null) return null;
  return spec.source.text.slice(0, found.index + found[0].length).split("\n").length;
}
