import type { z } from "zod";
import type { FieldPath } from "./field-path.ts";
import { pathText } from "./field-path.ts";
import { nearestName } from "./nearest.ts";
import { describeValue, kindOfValue, oneLine } from "./printable.ts";
import type { Problem } from "./problem.ts";
import { keyNotesAt, keysAt, notesAt } from "./schema/field-lookup.ts";
import { alternatives, type Fault, type FieldNotes } from "./schema/field-notes.ts";
import { mayBeSecret } from "./secret-ranges.ts";
import type { SpecSource } from "./source.ts";
import { unknownKeyComplaint } from "./unknown-key.ts";

type Issue = z.core.$ZodIssue;

/** How many problems are looked at; those behind them are only counted. */
const lookedAtMax = 200;

/** What the schema has against a document, as problems with places, and how many there are in all. */
export function problemsOfIssues(
  issues: readonly Issue[],
  root: unknown,
  source: SpecSource,
): { readonly problems: readonly Problem[]; readonly count: number } {
  const problems: Problem[] = [];
  let count = 0;
  for (const issue of issues) {
    const weight = issue.code === "unrecognized_keys" ? issue.keys.length : 1;
    count += weight;
    if (problems.length < lookedAtMax) problems.push(...problemsOfIssue(issue, [], root, source));
  }
  return { problems, count: Math.max(count, problems.length) };
}

function problemsOfIssue(
  issue: Issue,
  prefix: FieldPath,
  root: unknown,
  source: SpecSource,
): Problem[] {
  const path: FieldPath = [...prefix, ...(issue.path as FieldPath)];
  const value = valueAt(root, path);
  switch (issue.code) {
    case "unrecognized_keys":
      return issue.keys
        .slice(0, lookedAtMax)
        .map((key) => source.problem([...path, key], "key", unknownKeyComplaint(path, key)));
    case "invalid_union":
      return problemsOfUnion(issue, path, root, source);
    case "invalid_key":
      return [keyProblem(path, source)];
    case "invalid_type":
      return [typeProblem(path, value, source)];
    case "invalid_value":
      return typeof value === "string"
        ? [choiceProblem(path, value, issue.values.map(String), source)]
        : [typeProblem(path, value, source)];
    case "custom":
      return [faultProblem(path, value, (issue.params?.fault ?? {}) as Fault, source)];
    default:
      return [faultProblem(path, value, {}, source)];
  }
}

/** Of several forms, the one the value was meant to have. */
function problemsOfUnion(
  issue: Extract<Issue, { code: "invalid_union" }>,
  path: FieldPath,
  root: unknown,
  source: SpecSource,
): Problem[] {
  const value = valueAt(root, path);
  const meant = issue.errors.find((branch) =>
    branch.every((inner) => inner.path.length > 0 || inner.code !== "invalid_type"),
  );
  if (meant === undefined) return [typeProblem(path, value, source)];
  return meant.flatMap((inner) => problemsOfIssue(inner, path, root, source));
}

function keyProblem(path: FieldPath, source: SpecSource): Problem {
  const parent = path.slice(0, -1);
  const wanted = keyNotesAt(parent)?.wanted ?? "another name";
  return source.problem(path, "key", {
    sentence: `Name "${oneLine(String(path.at(-1)))}" in "${pathText(parent)}" is not valid: wanted ${wanted}`,
    wanted,
  });
}

function typeProblem(path: FieldPath, value: unknown, source: SpecSource): Problem {
  const notes = notesAt(path);
  const wanted = notes?.wanted ?? "another kind of value";
  const name = fieldName(path);
  if (value === undefined && path.length > 0 && !source.has(path)) {
    const parent = path.slice(0, -1);
    return source.problem(path, "key", {
      sentence: `Field "${String(path.at(-1))}" is missing${parent.length === 0 ? "" : ` in "${pathText(parent)}"`}: wanted ${wanted}`,
      wanted,
    });
  }
  const hidden = mayBeSecret(path) || mayHoldFields(path, value);
  const found = hidden ? kindOfValue(value) : describeValue(value);
  return source.problem(path, value === null ? "key" : "value", {
    sentence: `${name} is ${found}: wanted ${wanted}`,
    wanted,
    hint: quotingHint(value, notes),
  });
}

/** True for a text in which the fields of a mapping, secrets among them, may have ended up by a slip of the hand. */
function mayHoldFields(path: FieldPath, value: unknown): boolean {
  const isMapping = path.length > 0 && keysAt(path).length > 0;
  return typeof value === "string" && (value.includes("\n") || isMapping);
}

function quotingHint(value: unknown, notes: FieldNotes | null): string | undefined {
  const plain = typeof value === "number" || typeof value === "boolean";
  if (plain && !/number|true or false|port/.test(notes?.wanted ?? "")) {
    return "Put the value in quotes to make it a text";
  }
  if (value === null && notes?.plainScalars === true) return 'Write "" for an empty text';
  if (value === null) return "Give it a value, or remove the key";
  return undefined;
}

function choiceProblem(
  path: FieldPath,
  value: string,
  valid: readonly string[],
  source: SpecSource,
): Problem {
  const retired = notesAt(path)?.retired;
  const successor =
    retired !== undefined && Object.hasOwn(retired, value) ? retired[value] : undefined;
  const wanted = alternatives(valid);
  const nearest = nearestName(value, valid);
  if (successor !== undefined) {
    return source.problem(path, "value", {
      sentence: `${fieldName(path)} has the value "${value}" of another version: wanted ${wanted}`,
      wanted,
      nearest,
      hint: successor.charAt(0).toUpperCase() + successor.slice(1),
    });
  }
  return source.problem(path, "value", {
    sentence: `${fieldName(path)} is ${describeValue(value)}${nearest === null ? "" : `, close to "${nearest}"`}: wanted ${wanted}`,
    wanted,
    nearest,
  });
}

function faultProblem(path: FieldPath, value: unknown, fault: Fault, source: SpecSource): Problem {
  const notes = notesAt(path);
  const wanted = notes?.wanted ?? "another value";
  const secret = mayBeSecret(path);
  const why = fault.why === undefined ? "" : secret ? ` ${fault.why}` : `, which ${fault.why}`;
  const found = secret
    ? fault.why === undefined
      ? " is not valid"
      : ""
    : ` is ${describeValue(value)}`;
  return source.problem(path, "value", {
    sentence: `${fieldName(path)}${found}${why}: wanted ${wanted}`,
    wanted,
    nearest: fault.nearest,
    hint: fault.hint,
  });
}

function fieldName(path: FieldPath): string {
  return path.length === 0 ? "The spec file" : `Field "${pathText(path)}"`;
}

function valueAt(root: unknown, path: FieldPath): unknown {
  let value = root;
  for (const part of path) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, part))
      return undefined;
    value = (value as Record<string | number, unknown>)[part];
  }
  return value;
}
