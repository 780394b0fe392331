import { expect } from "vitest";

/** Ends lines, speaks to a CI runner, moves a cursor, reorders text, hides in it, stands alone, and is long. */
export const hostileText =
  "x\n::add-mask::a\r##[error]b\u001b[2Jc\u0000d\u0085e\u2028f\u2029g\u202eh\u200bi\u007fj\ud800k\ufeff";

/** What somebody who is hostile puts in place of a value. */
export const foreignValues: readonly unknown[] = [
  hostileText,
  "y".repeat(900_000),
  [hostileText],
  { [hostileText]: hostileText },
  7,
];

const unfit = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u;

export type Json =
  | null
  | boolean
  | number
  | string
  | readonly Json[]
  | { readonly [key: string]: Json };

/** Every way to put a value into a document in place of a part of it. */
export function* mutated(document: Json, value: unknown): Iterable<Json> {
  yield value as Json;
  if (typeof document !== "object" || document === null) return;
  if (Array.isArray(document)) {
    for (const [at, part] of document.entries()) {
      for (const changed of mutated(part, value)) yield document.with(at, changed) as Json;
    }
    return;
  }
  const object = document as Readonly<Record<string, Json>>;
  for (const [key, part] of Object.entries(object)) {
    for (const changed of mutated(part, value)) yield { ...object, [key]: changed };
  }
  yield { ...object, [String(value)]: value as Json };
}

/** Each line is one of ours: visible, bounded, and no word to a CI runner. */
export function expectOwnLines(text: string, about: string): void {
  for (const line of text.split("\n")) {
    expect(line, about).not.toMatch(unfit);
    expect(line, about).not.toMatch(/^(::|##\[)/);
    expect(line.length, about).toBeLessThan(10_000);
  }
}
