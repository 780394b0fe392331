/** Where a value is in a spec: keys and list positions from the top. */
export type FieldPath = readonly (string | number)[];

/** `outputs[0].path`, `agent.cred-swap[1]`. */
export function pathText(path: FieldPath): string {
  let text = "";
  for (const part of path) {
    if (typeof part === "number") text += `[${part}]`;
    else text += text === "" ? part : `.${part}`;
  }
  return text;
}

/** A key for maps of paths; different paths have different keys. */
export function pathKey(path: FieldPath): string {
  return path.map((part) => (typeof part === "number" ? `#${part}` : `.${part}`)).join("\0");
}
