import { posix } from "node:path";

/** Markdown without fenced code blocks, line for line. */
export function prose(markdown: string): string {
  return markdown.replace(/^( *)(```|~~~)[\s\S]*?^\1\2 *$/gm, (block) =>
    block.replace(/[^\n]/g, ""),
  );
}

/** Targets of relative links as repository paths, with their anchors. */
export function relativeLinks(path: string, markdown: string): { path: string; anchor: string }[] {
  const text = prose(markdown).replace(/`[^`\n]*`/g, "");
  return [...text.matchAll(/\]\(([^()\s]+)(?: "[^"]*")?\)/g)]
    .map((match) => match[1] ?? "")
    .filter((target) => !/^[a-z]+:/.test(target))
    .map((target) => {
      const [file = "", anchor = ""] = target.split("#");
      return { path: file === "" ? path : posix.join(posix.dirname(path), file), anchor };
    });
}

/** The anchors that the headings of a page get. */
export function anchors(markdown: string): string[] {
  return [...prose(markdown).matchAll(/^#{1,6} +(.+)$/gm)].map((match) =>
    (match[1] ?? "")
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, "")
      .replace(/ /g, "-"),
  );
}

/** Words in code spans that are written like a path below one of the top-level folders. */
export function namedPaths(markdown: string, folders: readonly string[]): string[] {
  const spans = [...prose(markdown).matchAll(/`([^`\n]+)`/g)].map((match) => match[1] ?? "");
  return spans
    .flatMap(expandBraces)
    .filter((span) => /^\.?[\w.-]+(\/[\w.@-]+)+\/?$/.test(span))
    .filter((span) => folders.includes(span.split("/")[0] ?? ""))
    .map((span) => span.replace(/\/$/, ""));
}

/** `a/{b,c}.ts` becomes `a/b.ts` and `a/c.ts`. */
function expandBraces(text: string): string[] {
  const found = /^([^{}]*)\{([^{}]*)\}(.*)$/.exec(text);
  if (found === null) return [text];
  const [, before = "", inner = "", after = ""] = found;
  return inner.split(",").flatMap((part) => expandBraces(`${before}${part.trim()}${after}`));
}
