import type { SourceRange } from "../source.ts";

const blockStart = /(^|[\s{,"'])(env|agent)["']?\s*:/;

/**
 * Ranges of a text that may hold secrets, found without parsing it: everything behind the first
 * colon or dash of the lines of `env` and `agent` blocks. For files too broken to be walked.
 */
export function secretLookingRanges(text: string): SourceRange[] {
  const ranges: SourceRange[] = [];
  let blockIndent = -1;
  let start = 0;
  for (const line of text.split("\n")) {
    const indent = line.search(/\S/);
    const opening = blockStart.exec(line);
    if (opening !== null) {
      blockIndent = indent;
      ranges.push({ start: start + opening.index + opening[0].length, end: start + line.length });
    } else if (blockIndent >= 0 && indent >= 0) {
      if (indent <= blockIndent && !line.trimStart().startsWith("-")) blockIndent = -1;
      else {
        const head = /^\s*(-\s+)?(["']?[\w.-]+["']?\s*:\s)?/.exec(line)?.[0] ?? "";
        ranges.push({ start: start + head.length, end: start + line.length });
      }
    }
    start += line.length + 1;
  }
  return ranges;
}
