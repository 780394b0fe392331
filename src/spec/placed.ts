import { type FieldPath, pathText } from "./field-path.ts";

/** Where a value was given: a field of the spec file, or a flag. */
export type Place =
  | { readonly kind: "spec"; readonly path: FieldPath }
  | { readonly kind: "flag"; readonly flag: string };

/** A value and where it was given. */
export interface Placed<T> {
  readonly value: T;
  readonly place: Place;
}

/** Something wrong between several fields; it is reported at `place`. */
export interface Finding {
  readonly place: Place;
  /** Show the key (a name clash) or the value. */
  readonly at: "key" | "value";
  readonly sentence: string;
  readonly hint?: string | undefined;
}

/** Items of a list in the spec, each with its place. */
export function placedItems<T>(items: readonly T[] | undefined, path: FieldPath): Placed<T>[] {
  return (items ?? []).map((value, index) => ({
    value,
    place: { kind: "spec", path: [...path, index] },
  }));
}

/** The place of a part of a value: a deeper field in the spec, the same flag else. */
export function within(place: Place, ...parts: FieldPath): Place {
  return place.kind === "flag" ? place : { kind: "spec", path: [...place.path, ...parts] };
}

/** `outputs[0]` or `--output`. */
export function placeText(place: Place): string {
  return place.kind === "flag" ? place.flag : pathText(place.path);
}
