import { MicroagentError } from "../base/errors.ts";
import { type Place, placeText } from "./placed.ts";
import type { RunPlan } from "./plan.ts";
import { describeValue } from "./printable.ts";
import { supportOf } from "./support.ts";

/** A field that was asked for and whose feature is not built yet. */
export interface UnsupportedUse {
  readonly field: string;
  readonly place: Place;
  /** In the spec file, null for a flag. */
  readonly file: string | null;
  readonly line: number | null;
  readonly column: number | null;
  /** One sentence with its place. */
  readonly message: string;
  readonly hint: string | null;
  readonly frame: string | null;
}

/** Every use of something that is not built yet; empty for a plan that can run. */
export function unsupportedUses(plan: RunPlan): readonly UnsupportedUse[] {
  return plan.given.flatMap(({ field, place, value }): UnsupportedUse[] => {
    const support = supportOf(field);
    if (support.supported || support.harmless?.(value) === true) return [];
    const hint = support.instead ?? null;
    // Of a field that has values which work, the one that does not is named.
    const isOneValue = support.partly !== undefined && typeof value === "string";
    const what = `${isOneValue ? `is ${describeValue(value)}, which ` : ""}is not supported yet by this release`;
    if (place.kind === "flag" || plan.source === null) {
      const message = `Flag ${placeText(place)} ${what}`;
      return [{ field, place, file: null, line: null, column: null, message, hint, frame: null }];
    }
    const problem = plan.source.problem(place.path, "key", {
      sentence: `Field "${field}" ${what}`,
    });
    const { file, line, column, frame } = problem;
    return [
      {
        field,
        place,
        file,
        line,
        column,
        hint,
        frame,
        message: `${file}:${line}:${column}: ${problem.sentence}`,
      },
    ];
  });
}

/** The `not_supported_yet` error of a plan that uses what is not built, else null. */
export function unsupportedError(plan: RunPlan): MicroagentError | null {
  const uses = unsupportedUses(plan);
  const [first] = uses;
  if (first === undefined) return null;
  const others = uses
    .slice(1)
    .map(({ field, place }) => (place.kind === "flag" ? placeText(place) : `"${field}"`));
  const message =
    others.length === 0
      ? first.message
      : `${first.message}, nor ${others.length === 1 ? "is" : "are"} ${others.join(", ")}`;
  return new MicroagentError("not_supported_yet", message, {
    hint: first.hint ?? "docs/spec-file.md says what this release supports",
    details: {
      field: first.field,
      file: first.file,
      line: first.line,
      column: first.column,
      frame: first.frame,
      uses: uses.map(({ field, file, line, column, message: text }) => ({
        field,
        file,
        line,
        column,
        message: text,
      })),
    },
  });
}
