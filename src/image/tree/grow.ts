type Column = Uint8Array | Uint16Array | Uint32Array | Float64Array;

/** A copy of a column with room for `need` elements and half as many again; zeros behind. */
export function growTo<T extends Column>(column: T, need: number): T {
  const length = Math.max(need, Math.ceil(column.length * 1.5));
  const Type = column.constructor as new (length: number) => T;
  const grown = new Type(length);
  grown.set(column);
  return grown;
}
