import { posix } from "node:path";

export interface Import {
  /** As written. */
  readonly specifier: string;
  /** The repository path for a relative import, else null. */
  readonly target: string | null;
}

/** Everything a module imports or re-exports, types and lazy `import()` included. */
export function importsOf(path: string, source: string): readonly Import[] {
  const patterns = [
    /^\s*(?:import|export)\b[^"';]*?\bfrom\s*"([^"]+)"/gm,
    /^\s*import\s*"([^"]+)"/gm,
    /\bimport\(\s*"([^"]+)"/g,
  ];
  return patterns
    .flatMap((pattern) => [...source.matchAll(pattern)])
    .map((match) => {
      const specifier = match[1] ?? "";
      const relative = specifier.startsWith(".");
      const target = relative ? posix.join(posix.dirname(path), specifier) : null;
      return { specifier, target };
    });
}

/** `zod` of `zod/v4`, `@scope/name` of `@scope/name/part`. */
export function packageOf(specifier: string): string {
  const parts = specifier.split("/");
  return specifier.startsWith("@") ? parts.slice(0, 2).join("/") : (parts[0] ?? "");
}
