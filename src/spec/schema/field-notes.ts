import { z } from "zod";

/** Why a text is not acceptable, beyond what `wanted` says, and what would be. */
export interface Fault {
  /** Completes "which ...", for example `is a literal secret`. */
  readonly why?: string;
  readonly hint?: string;
  readonly nearest?: string;
}

/** Null for an acceptable text. */
export type Check = (value: string) => Fault | null;

/** What is known about a field beside its type: for errors, the editor schema and the documentation. */
export interface FieldNotes {
  /** One sentence without a period, for documentation and editors. */
  readonly doc: string;
  /** Completes "wanted ...". */
  readonly wanted: string;
  /** The default as documentation prints it. */
  readonly defaultText?: string;
  /** Values of other versions, each with the sentence part that names today's. */
  readonly retired?: Readonly<Record<string, string>>;
  /** Its text may be or hold a secret: never echoed. */
  readonly secret?: boolean;
  /** A plain number or boolean is taken as the text it was written as. */
  readonly plainScalars?: boolean;
  /** Extra JSON Schema keywords for editors. */
  readonly editor?: Readonly<Record<string, unknown>>;
}

/** The notes of every field of the schema. */
export const fieldNotes = z.registry<FieldNotes>();

/** A text field; `check` refuses what the type alone would let pass. */
export function text(notes: FieldNotes, check?: Check) {
  const base = z.string();
  const checked =
    check === undefined
      ? base
      : base.superRefine((value, context) => {
          const fault = check(value);
          if (fault !== null) {
            context.addIssue({ code: "custom", message: "check", params: { fault } });
          }
        });
  return checked.register(fieldNotes, notes);
}

/** A whole number from `min` to `max`. */
export function whole(notes: FieldNotes, min: number, max: number) {
  return z.number().int().min(min).max(max).register(fieldNotes, notes);
}

/** True or false. */
export function toggle(notes: FieldNotes) {
  return z.boolean().register(fieldNotes, notes);
}

/** One word of a closed list. */
export function choice<const T extends readonly [string, ...string[]]>(
  values: T,
  notes: Omit<FieldNotes, "wanted">,
) {
  return z.enum(values).register(fieldNotes, { ...notes, wanted: alternatives(values) });
}

/** A list of equal items. */
export function list<T extends z.ZodType>(notes: FieldNotes, item: T) {
  return z.array(item).register(fieldNotes, notes);
}

/** A mapping with known keys only. */
export function mapping<T extends z.ZodRawShape>(notes: Omit<FieldNotes, "wanted">, shape: T) {
  return z.strictObject(shape).register(fieldNotes, { ...notes, wanted: "a mapping" });
}

/** `"a", "b" or "c"`. */
export function alternatives(values: readonly string[]): string {
  const quoted = values.map((value) => `"${value}"`);
  const last = quoted.pop() ?? "";
  return quoted.length === 0 ? last : `${quoted.join(", ")} or ${last}`;
}
