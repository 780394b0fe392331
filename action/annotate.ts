import { type LoadedSpec, type RunPlan, suggestAllow } from "../src/index.ts";
import type { Annotations } from "./annotations.ts";
import { sentenceOf } from "./conclusion.ts";
import type { EgressFacts } from "./run-facts.ts";
import type { StepSettings } from "./settings.ts";
import type { StepResult } from "./step-result.ts";

const hostsMax = 3;

/** What people should see at the places where they would mend it. */
export function annotateRun(
  annotations: Annotations,
  plan: RunPlan,
  result: StepResult,
  egress: EgressFacts,
  spec: LoadedSpec | null,
  ifNoArtifacts: StepSettings["ifNoArtifacts"],
  failures: readonly string[],
): void {
  const file = plan.specFile ?? undefined;
  const end = result.termination;
  const passed = end.kind === "exited" && end.exitCode === 0;
  if (!passed) {
    const sentence = sentenceOf(end);
    annotations.add(failures.includes(sentence) ? "error" : "warning", sentence, {
      title: `microagent: ${result.workspace}`,
      ...placeOf(file, lineOf(spec, /^\s+entry\s*:/m)),
    });
  }
  for (const text of refusals(plan, result, egress)) {
    annotations.add("warning", text, {
      title: "microagent: egress",
      ...placeOf(file, lineOf(spec, /^agent\s*:/m)),
    });
  }
  if (egress.problem !== null) {
    annotations.add("warning", `The record of egress decisions is not whole: ${egress.problem}`);
  }
  for (const { output, error } of result.outputs.incomplete) {
    annotations.add("warning", `Output "${output}" did not come out whole: ${error.message}`, {
      title: "microagent: artifacts",
    });
  }
  if (ifNoArtifacts !== "ignore") annotateMissing(annotations, result, file, spec, ifNoArtifacts);
  annotations.finish();
}

function annotateMissing(
  annotations: Annotations,
  result: StepResult,
  file: string | undefined,
  spec: LoadedSpec | null,
  kind: "warn" | "error",
): void {
  for (const name of result.outputs.missing) {
    annotations.add(
      kind === "warn" ? "warning" : "error",
      `Output "${name}" does not exist in the guest`,
      {
        title: "microagent: artifacts",
        ...placeOf(file, lineOf(spec, /^outputs\s*:/m)),
      },
    );
  }
}

/** The hosts that were asked for most, and the lines that allow those that a list would. */
function refusals(plan: RunPlan, result: StepResult, egress: EgressFacts): string[] {
  if (egress.denied.length === 0) return [];
  const suggestion = result.audit === null ? null : suggestAllow(plan, result.audit);
  return egress.denied.slice(0, hostsMax).map(([host, count]) => {
    const refused = `The guest asked for "${host}" ${count === 1 ? "once" : `${count} times`} and was refused`;
    const isOfHost = (entry: string) => entry === host || entry.startsWith(`${host}:`);
    if (suggestion?.hosts.some(isOfHost) !== true) return refused;
    return `${refused}. To allow it, write in the Agentfile:\n${suggestion.yaml}\nor list it in the input "allow"`;
  });
}

function placeOf(file: string | undefined, line: number | null) {
  return file === undefined ? {} : { file, ...(line === null ? {} : { startLine: line }) };
}

function lineOf(spec: LoadedSpec | null, pattern: RegExp): number | null {
  const found = spec === null ? null : pattern.exec(spec.source.text);
  if (spec === null || found === null) return null;
  return spec.source.text.slice(0, found.index + found[0].length).split("\n").length;
}
