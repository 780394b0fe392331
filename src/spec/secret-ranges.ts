import { type FieldPath, pathKey } from "./field-path.ts";
import { notesAt } from "./schema/field-lookup.ts";
import { isCredentialSwap, isNamedSecret } from "./schema/secret-reference.ts";
import type { FieldRange, SourceRange } from "./source.ts";

/** Keys whose values may be secret even where the schema does not know the key. */
const secretKey = /^(env|environment)$|cred|secret|token|passw|key/i;

/**
 * Places of all values that may be secret, for frames to star out. Texts of unknown keys are among
 * them: a variable whose indentation got lost is a top-level key.
 */
export function hiddenRanges(
  value: unknown,
  fields: ReadonlyMap<string, FieldRange>,
): SourceRange[] {
  const ranges: SourceRange[] = [];
  visit(value, [], (path, scalar) => {
    const field = fields.get(pathKey(path));
    const hidden = mayBeSecret(path) || (typeof scalar === "string" && notesAt(path) === null);
    if (field === undefined || !hidden || isReference(scalar)) return;
    // An empty value has its key's place, and a key is no secret.
    if (field.value.start !== field.key?.start) ranges.push(field.value);
  });
  return ranges;
}

/** True when the value at a path, or one of its parts, may be secret. */
export function mayBeSecret(path: FieldPath): boolean {
  return (
    notesAt(path)?.secret === true ||
    path.some((part) => typeof part === "string" && secretKey.test(part))
  );
}

function isReference(scalar: unknown): boolean {
  if (typeof scalar !== "string") return false;
  return isCredentialSwap(scalar) === null || isNamedSecret(scalar) === null;
}

function visit(
  value: unknown,
  path: FieldPath,
  see: (path: FieldPath, scalar: unknown) => void,
): void {
  // Where a single secret belongs, everything of a mapping or list is hidden, keys too.
  if (typeof value !== "object" || value === null || notesAt(path)?.secret === true) {
    see(path, value);
    return;
  }
  for (const [key, child] of Object.entries(value)) {
    visit(child, [...path, Array.isArray(value) ? Number(key) : key], see);
  }
}
