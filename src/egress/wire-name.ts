const nameCharsMax = 253;
const labelCharsMax = 63;

/**
 * A name as it stands on the wire (SNI, Host, `:authority`, a proxy's target, a DNS question), in the one form that is
 * compared: ASCII letters in lower case, without one trailing dot. Null when it is malformed. A name is no URL: nothing is
 * decoded, mapped or cut off, because the server on the other side compares its own reading of the same bytes.
 */
export function wireName(text: string): string | null {
  const bare = text.endsWith(".") ? text.slice(0, -1) : text;
  if (bare.length === 0 || bare.length > nameCharsMax || !/^[A-Za-z0-9_.-]+$/.test(bare))
    return null;
  const name = bare.toLowerCase();
  const labels = name.split(".");
  if (labels.some((label) => label.length === 0 || label.length > labelCharsMax)) return null;
  return isAddressInDisguise(labels.at(-1) ?? "") ? null : name;
}

/** A name whose last label is a number is an address to most resolvers (`127.1`, `0x7f.1`). */
export function isAddressInDisguise(lastLabel: string): boolean {
  return /^(\d+|0x[0-9a-f]*)$/.test(lastLabel);
}
