import { chmod, mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Job } from "./job.ts";

/** Makes the command line a program of its own and returns the directory it is in, for the PATH of later steps. */
export async function installCommand(job: Job): Promise<string> {
  const bin = join(job.temp, "microagent", "bin");
  await mkdir(bin, { recursive: true });
  const program = join(bin, "microagent");
  await writeFile(program, wrapper(join(dirname(fileURLToPath(import.meta.url)), "cli.js")));
  await chmod(program, 0o755);
  return bin;
}

/** Runs with the Node that runs this, which later steps may not have. */
function wrapper(cli: string): string {
  return `#!/bin/sh\nexec ${quoted(process.execPath)} ${quoted(cli)} "$@"\n`;
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
