import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

const root = join(import.meta.dirname, "..", "..");

export interface Compiled extends AsyncDisposable {
  /** The compiled twin of a source path relative to the repository. */
  path(source: string): string;
}

/**
 * Compiles TypeScript entries (paths relative to the repository) and what they import with the real
 * compiler, for tests that need processes of their own: the oldest supported Node runs no TypeScript.
 */
export async function compileForNode(entries: readonly string[]): Promise<Compiled> {
  const cache = join(root, "node_modules", ".cache");
  await mkdir(cache, { recursive: true });
  const outDir = await mkdtemp(join(cache, "compiled-"));
  const options =
    "--ignoreConfig --rootDir . --target es2023 --lib es2023,esnext.disposable --module nodenext --strict --erasableSyntaxOnly --verbatimModuleSyntax --rewriteRelativeImportExtensions --skipLibCheck --types node";
  const tsc = join(root, "node_modules", "typescript", "bin", "tsc");
  await promisify(execFile)(
    process.execPath,
    [tsc, "--outDir", outDir, ...options.split(" "), ...entries],
    { cwd: root },
  );
  return {
    path: (source) => join(outDir, source.replace(/\.ts$/, ".js")),
    [Symbol.asyncDispose]: () => rm(outDir, { recursive: true, force: true }),
  };
}
