import { z } from "zod";
import { type Flags, flagName } from "../flags.ts";
import { fieldOfFlag } from "../given.ts";
import { branchesOf, unwrap } from "../schema/field-lookup.ts";
import { fieldNotes } from "../schema/field-notes.ts";
import { specSchema } from "../schema/spec-schema.ts";
import { fieldSupport, supportOf } from "../support.ts";

/** One row of the field reference. */
export interface FieldRow {
  /** `agent.cred-swap[]`. */
  readonly path: string;
  readonly type: string;
  readonly required: boolean;
  readonly defaultText: string;
  readonly doc: string;
  readonly flag: string;
  readonly support: string;
}

/** Every field of the schema with its notes, in the schema's order. */
export function fieldRows(): readonly FieldRow[] {
  return rowsOf(specSchema, "", "");
}

function rowsOf(schema: z.ZodType, path: string, field: string): FieldRow[] {
  const inner = unwrap(schema);
  if (inner instanceof z.ZodArray) return rowsOf(inner.element as z.ZodType, `${path}[]`, field);
  if (inner instanceof z.ZodUnion)
    return branchesOf(inner).flatMap((branch) => rowsOf(branch, path, field));
  if (!(inner instanceof z.ZodObject)) return [];
  return Object.entries(inner.shape).flatMap(([key, child]) => {
    const childPath = path === "" ? key : `${path}.${key}`;
    const childField = field === "" ? key : `${field}.${key}`;
    return [
      row(child as z.ZodType, childPath, childField),
      ...rowsOf(child as z.ZodType, childPath, childField),
    ];
  });
}

function row(schema: z.ZodType, path: string, field: string): FieldRow {
  const inner = unwrap(schema);
  const notes = fieldNotes.get(inner);
  return {
    path,
    type: typeText(inner),
    required: !(schema instanceof z.ZodOptional),
    defaultText: notes?.defaultText ?? "",
    doc: notes?.doc ?? "",
    flag: flagsOf(path),
    support: supportText(field),
  };
}

function typeText(schema: z.ZodType): string {
  if (schema instanceof z.ZodEnum) return schema.options.map((word) => `\`${word}\``).join(", ");
  if (schema instanceof z.ZodArray)
    return `list of ${typeText(unwrap(schema.element as z.ZodType))}`;
  if (schema instanceof z.ZodRecord) return "mapping of texts";
  if (schema instanceof z.ZodObject) return "mapping";
  if (schema instanceof z.ZodUnion) {
    return schema.options.map((option) => typeText(unwrap(option as z.ZodType))).join(" or ");
  }
  if (schema instanceof z.ZodNumber) {
    const { minValue: min, maxValue: max } = schema;
    return `whole number, ${min} to ${max}`;
  }
  return schema instanceof z.ZodBoolean ? "true or false" : "text";
}

function flagsOf(path: string): string {
  return (Object.keys(fieldOfFlag) as (keyof Flags)[])
    .filter((key) => fieldOfFlag[key] === path)
    .map((key) => `\`${flagName(key)}\``)
    .join(", ");
}

function supportText(field: string): string {
  const { field: owner, supported, partly } = supportOf(field);
  const someOfIt = fieldSupport.some(
    (entry) => entry.field.startsWith(`${field}.`) && !entry.supported,
  );
  if (someOfIt) return "see its fields";
  return supported ? "yes" : owner === field ? (partly ?? "not yet") : "not yet";
}
