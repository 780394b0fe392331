/** Foreign text for one line of a message: control characters replaced, cut to `max` characters. */
export function oneLine(text: string, max = 60): string {
  const characters = [...text.slice(0, max * 2 + 2)];
  const cut =
    characters.length > max ? `${characters.slice(0, max - 3).join("")}...` : characters.join("");
  return cut.replace(
    /[\p{Cc}\p{Cs}\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu,
    (found) => (found === "\n" ? "\\n" : found === "\t" ? "\\t" : "\ufffd"),
  );
}

/** A value as an error names it: quoted text, number, or what kind of thing it is. */
export function describeValue(value: unknown): string {
  if (value === null || value === undefined) return "empty";
  if (typeof value === "string") return value === "" ? "an empty text" : `"${oneLine(value)}"`;
  if (typeof value === "number" || typeof value === "boolean")
    return `the ${typeof value} ${value}`;
  return kindOfValue(value);
}

/** What kind of thing a value is, without showing it. */
export function kindOfValue(value: unknown): string {
  if (value === null || value === undefined) return "empty";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "a mapping";
  return typeof value === "string" ? "a text" : `a ${typeof value}`;
}
