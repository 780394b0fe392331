type Column = Uint8Array | Uint16Array | Uint32Array | Float64Array;

/** Elements a column starts with: enough for most images. */
export const columnStart: number = 1 << 16;

/**
 * A copy of a column with room for `need` elements and far more, zeros behind. Memory that was
 * never written to costs nothing, while the old bytes linger until they are collected: so columns
 * grow seldom and by much.
 */
export function growTo<T extends Column>(column: T, need: number): T {
  const length = Math.max(need, column.length * 4);
  const Type = column.constructor as new (length: number) => T;
  const grown = new Type(length);
  grown.set(column);
  return grown;
}
