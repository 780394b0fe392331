import { z } from "zod";
import type { FieldPath } from "../field-path.ts";
import { type FieldNotes, fieldNotes } from "./field-notes.ts";
import { specSchema } from "./spec-schema.ts";

/** Notes of the field at a path; null where the schema has none. */
export function notesAt(path: FieldPath): FieldNotes | null {
  for (const schema of schemasAt(path)) {
    const notes = fieldNotes.get(schema);
    if (notes !== undefined) return notes;
  }
  return null;
}

/** Notes of the keys of the record at a path; null where there is none. */
export function keyNotesAt(path: FieldPath): FieldNotes | null {
  for (const schema of schemasAt(path)) {
    if (schema instanceof z.ZodRecord) return fieldNotes.get(schema.keyType as z.ZodType) ?? null;
  }
  return null;
}

/** Keys a mapping may have, in the schema's order. */
export function keysAt(path: FieldPath): readonly string[] {
  for (const schema of schemasAt(path).flatMap(branchesOf)) {
    if (schema instanceof z.ZodObject) return Object.keys(schema.shape);
  }
  return [];
}

/** Full paths of every field, for "belongs elsewhere" hints: `resources.memoryMiB`, `agent.entry`. */
export function everyFieldPath(): readonly string[] {
  everyPath ??= collect(specSchema, "");
  return everyPath;
}

let everyPath: readonly string[] | undefined;

function collect(schema: z.ZodType, prefix: string): string[] {
  const inner = unwrap(schema);
  if (!(inner instanceof z.ZodObject)) return [];
  return Object.entries(inner.shape).flatMap(([key, child]) => {
    const path = prefix === "" ? key : `${prefix}.${key}`;
    return [path, ...collect(child as z.ZodType, path)];
  });
}

/** The schema without `optional`. */
export function unwrap(schema: z.ZodType): z.ZodType {
  return schema instanceof z.ZodOptional ? unwrap(schema.unwrap() as z.ZodType) : schema;
}

/** The alternatives of a union, or the schema alone. */
export function branchesOf(schema: z.ZodType): readonly z.ZodType[] {
  return schema instanceof z.ZodUnion
    ? schema.options.map((option) => unwrap(option as z.ZodType))
    : [schema];
}

/** Every schema a path may lead to: more than one behind a union. */
function schemasAt(path: FieldPath): readonly z.ZodType[] {
  let found: readonly z.ZodType[] = [specSchema];
  for (const part of path) {
    found = found.flatMap(branchesOf).flatMap((schema) => {
      const child = childOf(schema, part);
      return child === null ? [] : [unwrap(child)];
    });
  }
  return found;
}

function childOf(schema: z.ZodType, part: string | number): z.ZodType | null {
  if (schema instanceof z.ZodArray) return schema.element as z.ZodType;
  if (schema instanceof z.ZodRecord) return schema.valueType as z.ZodType;
  if (!(schema instanceof z.ZodObject) || !Object.hasOwn(schema.shape, part)) return null;
  return schema.shape[part] as z.ZodType;
}
