import { isMicroagentError, type MicroagentError } from "../../../src/base/errors.ts";
import type { Flags } from "../../../src/spec/flags.ts";
import { type LoadedSpec, parseSpec } from "../../../src/spec/load.ts";
import { mergeSpec } from "../../../src/spec/merge.ts";
import type { RunPlan } from "../../../src/spec/plan.ts";
import { type Problem, problemsOf } from "../../../src/spec/problem.ts";

/** A spec text that must be fine. */
export function parsed(text: string): LoadedSpec {
  return parseSpec(text, "microagent.yaml", "/base");
}

/** The error of a spec text that must not be fine. */
export function refusal(text: string): MicroagentError {
  return refused(() => parsed(text));
}

/** The problems of a spec text that must have some. */
export function problems(text: string): readonly Problem[] {
  return problemsOf(refusal(text));
}

/** The error that a call must end with. */
export function refused(call: () => unknown): MicroagentError {
  let value: unknown;
  try {
    value = call();
  } catch (error) {
    if (isMicroagentError(error)) return error;
    throw error;
  }
  throw new TypeError(`Nothing was refused, the result is ${JSON.stringify(value)}`);
}

/** The plan of a dispatch in `/cwd` with these flags and the text of a spec. */
export function merge(flags: Flags, text?: string): RunPlan {
  const file = text === undefined ? null : parsed(text);
  return mergeSpec({ flags, file, surface: "dispatch", cwd: "/cwd" });
}
