import type { Agent } from "../../src/agent/agent.ts";
import type { Configuration } from "../../src/agent/configuration.ts";
import type { Op } from "../../src/base/op.ts";

/** What a guest in memory is told when nothing about it matters. */
export const plainConfiguration: Configuration = {
  timeUnixMs: 0,
  entropy: new Uint8Array(32),
  hostname: "t",
  hosts: [],
  root: { base: { device: "/dev/vda", fstype: "erofs" }, upper: { tmpfsBytes: 1 } },
  mounts: [],
  pidsMax: 1,
  memoryReserveBytes: 1,
};

/** Runs a command of a configured guest as root and returns its standard output. */
export async function outputOf(op: Op, agent: Agent, ...argv: string[]): Promise<string> {
  const ended = await agent.run(op, {
    argv,
    env: [],
    cwd: "/",
    user: "0",
    stdin: false,
    tty: null,
    timeoutMs: 20_000,
  });
  return Buffer.from(ended.stdout).toString();
}
