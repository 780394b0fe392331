import type { Duplex } from "node:stream";
import { spawnDetached } from "../../host/spawn-detached.ts";

/** The program that holds workspaces. */
export interface HolderProgram {
  readonly file: string;
  readonly args: readonly string[];
}

/** Launches the program in a session of its own. */
export async function launchDetached(program: HolderProgram, logPath: string): Promise<Duplex> {
  return (await spawnDetached({ ...program, logPath })).channel;
}
