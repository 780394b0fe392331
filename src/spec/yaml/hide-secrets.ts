import { keysAt } from "../schema/field-lookup.ts";
import type { SourceRange } from "../source.ts";

const opening =
  /(^|[\s{,"'])(env|environment|agent|[\w-]*(cred|secret|token|passw|key)[\w-]*)["']?\s*:/i;
// A secret may have become a list item or a key: only words that look like a field are shown.
const lineHead = /^\s*(-\s+|["']?(cred-swap|\w{1,40})["']?\s*:(?=\s))?/;

/**
 * Ranges of a text that may hold secrets, found without parsing it: from an `env` or `agent` key on,
 * everything that follows the key of a line, until a line that starts with another known field.
 * For files too broken to be walked; it hides too much rather than too little.
 */
export function secretLookingRanges(text: string): SourceRange[] {
  const safe = new Set(keysAt([]).filter((key) => key !== "env" && key !== "agent"));
  const ranges: SourceRange[] = [];
  let inside = false;
  let start = 0;
  for (const line of text.split("\n")) {
    const found = opening.exec(line);
    if (inside && safe.has(/^([\w-]+)\s*:(\s|$)/.exec(line)?.[1] ?? "")) inside = false;
    if (inside) {
      ranges.push({
        start: start + (lineHead.exec(line)?.[0].length ?? 0),
        end: start + line.length,
      });
    } else if (found !== null) {
      ranges.push({ start: start + found.index + found[0].length, end: start + line.length });
    }
    inside ||= found !== null;
    start += line.length + 1;
  }
  return ranges;
}
