import { readFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";

const filesMax = 2_000;
const importPattern =
  /\bfrom\s*["'](\.{1,2}\/[^"']+)["']|\bimport\s*\(?\s*["'](\.{1,2}\/[^"']+)["']/g;
const endings = ["", ".ts", ".js", ".mts", ".mjs", ".tsx", "/index.ts", "/index.js"];

/**
 * Which of the templates these test files, and what they import by relative paths, may ask for: those that they name
 * in quotes, and the default one where the plugin is imported at all. It may find too many, which costs a build.
 */
export async function namedTemplates(
  files: readonly string[],
  names: readonly string[],
  byDefault: string | null,
): Promise<ReadonlySet<string>> {
  const found = new Set<string>();
  const seen = new Set<string>();
  const queue = [...files];
  for (let path = queue.pop(); path !== undefined; path = queue.pop()) {
    if (seen.has(path) || seen.size >= filesMax) continue;
    seen.add(path);
    const text = await readFile(path, "utf8").catch(() => "");
    if (byDefault !== null && /microagent-ci\/vitest/.test(text)) found.add(byDefault);
    for (const name of names) {
      if (["'", '"', "`"].some((quote) => text.includes(`${quote}${name}${quote}`)))
        found.add(name);
    }
    for (const match of text.matchAll(importPattern)) {
      const target = resolve(dirname(path), match[1] ?? match[2] ?? "");
      queue.push(...endings.map((ending) => `${target}${ending}`));
      if (target.endsWith(".js")) queue.push(`${target.slice(0, -3)}.ts`);
    }
  }
  return found;
}
