import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { errnoOf, MicroagentError } from "../../base/errors.ts";
import { fileError } from "../../host/file-error.ts";
import type { Arch } from "../../supervisor/port.ts";
import { sha256Of } from "../hash-file.ts";

/** The configuration lines our own kernel is asked for. */
export interface Fragment {
  readonly path: string;
  readonly text: string;
  readonly sha256: string;
}

/** The fragment this package ships for an architecture; null when there is none. */
export async function readFragment(arch: Arch): Promise<Fragment | null> {
  const path = join(await packageRoot(), "kernel", `config-${arch}.fragment`);
  try {
    const text = await readFile(path, "utf8");
    return { path, text, sha256: sha256Of(text) };
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return null;
    throw fileError(error, `Kernel fragment "${path}" cannot be read`);
  }
}

/**
 * The lines of `fragment` that did not survive into `config`: each is `CONFIG_X=value`, or
 * `# CONFIG_X is not set`, which an option that does not exist satisfies as well.
 */
export function lostLines(fragment: string, config: string): string[] {
  const kept = new Set(config.split("\n"));
  const set = new Set(
    [...kept].map((line) => /^(CONFIG_\w+)=/.exec(line)?.[1]).filter((name) => name !== undefined),
  );
  return fragment.split("\n").filter((line) => {
    const off = /^# (CONFIG_\w+) is not set$/.exec(line)?.[1];
    if (off !== undefined) return set.has(off);
    return line.startsWith("CONFIG_") && !kept.has(line);
  });
}

let root: Promise<string> | null = null;

/** Sources and compiled files lie at different depths below the package's own directory. */
function packageRoot(): Promise<string> {
  root ??= findRoot(dirname(fileURLToPath(import.meta.url)));
  return root;
}

async function findRoot(from: string): Promise<string> {
  for (let directory = from; ; directory = dirname(directory)) {
    const found = await readFile(join(directory, "package.json")).then(
      () => true,
      () => false,
    );
    if (found) return directory;
    if (directory === dirname(directory)) {
      throw new MicroagentError("internal", `No "package.json" above "${from}"`);
    }
  }
}
