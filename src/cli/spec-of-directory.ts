import { stat } from "node:fs/promises";
import { join } from "node:path";

/** The spec file that a directory has under one of its two names, relative to it; undefined where it has none. */
export async function specOfDirectory(directory: string): Promise<string | undefined> {
  for (const name of ["microagent.yaml", "microagent.yml"]) {
    const found = await stat(join(directory, name)).catch(() => null);
    if (found?.isFile() === true) return name;
  }
  return undefined;
}
