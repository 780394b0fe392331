import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** The repository's root directory, absolute. */
export const root: string = join(import.meta.dirname, "..", "..");

/** Every file git knows or would add, relative to the root, in byte order. */
export const files: readonly string[] = execFileSync(
  "git",
  ["ls-files", "-z", "--cached", "--others", "--exclude-standard"],
  { cwd: root, encoding: "utf8", maxBuffer: 64 * 1024 * 1024 },
)
  .split("\0")
  .filter((path) => path !== "" && existsSync(join(root, path)))
  .sort();

export function read(path: string): string {
  return readFileSync(join(root, path), "utf8");
}

export function exists(path: string): boolean {
  return existsSync(join(root, path));
}

/** Files below one of the folders with one of the endings (with their dot). */
export function select(folders: readonly string[], endings: readonly string[]): readonly string[] {
  return files.filter(
    (path) =>
      folders.some((folder) => path.startsWith(`${folder}/`)) &&
      endings.some((ending) => path.endsWith(ending)),
  );
}

/** TypeScript that ships. */
export const shipped: readonly string[] = select(["src", "supervisors", "vitest-plugin"], [".ts"]);

/** Text files of the repository, without vectors and lock files. */
export const texts: readonly string[] = files.filter(
  (path) =>
    /\.(ts|mjs|go|c|h|md|json|ya?ml|sh|py|mod|config)$|(^|\/)(run|LICENSE|\.\w+)$/.test(path) &&
    !path.startsWith("test/vectors/"),
);

/** `path:line: text` of every line that matches, in text that may have been blanked before. */
export function findLines(path: string, text: string, pattern: RegExp): string[] {
  return text
    .split("\n")
    .flatMap((line, index) => (pattern.test(line) ? [`${path}:${index + 1}: ${line.trim()}`] : []));
}
