import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Agent } from "../../../src/agent/agent.ts";
import type { Configuration } from "../../../src/agent/configuration.ts";
import type { ExecRequest } from "../../../src/agent/exec.ts";
import type { TreeItem } from "../../../src/agent/tree.ts";
import { type Op, withOp } from "../../../src/base/op.ts";
import { type MemoryGuest, startMemoryGuest } from "../../../supervisors/memory/guest.ts";
import type { GuestScript } from "../../../supervisors/memory/guest-script.ts";

export const configuration: Configuration = {
  timeUnixMs: 1_700_000_000_000,
  entropy: new Uint8Array(64),
  hostname: "research",
  hosts: [{ ip: "127.0.1.1", names: ["research"] }],
  root: {
    base: { device: "/dev/vda", fstype: "erofs" },
    upper: { device: "/dev/vdb", fstype: "ext4" },
  },
  mounts: [],
  pidsMax: 1000,
  memoryReserveBytes: 1024,
};

/** A request that runs `argv` plainly. */
export function command(...argv: string[]): ExecRequest {
  return { argv, env: ["A=1"], cwd: "/", user: "root", stdin: false, tty: null, timeoutMs: null };
}

/** Runs a test body against a configured in-memory guest, under a deadline that names a hang. */
export async function withGuest<T>(
  script: GuestScript,
  work: (op: Op, agent: Agent, guest: MemoryGuest) => Promise<T>,
): Promise<T> {
  return await withOp("test", { timeoutMs: 20_000 }, async (op) => {
    const guest = startMemoryGuest(script);
    const agent = await Agent.connect(op, guest.hostLink);
    try {
      await agent.configure(op, configuration);
      return await work(op, agent, guest);
    } finally {
      agent.close();
      guest.crash();
    }
  });
}

export async function withTempDir<T>(work: (dir: string) => Promise<T>): Promise<T> {
  const dir = await mkdtemp(join(tmpdir(), "microagent-tree-"));
  try {
    return await work(dir);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

export async function* itemsOf(...items: TreeItem[]): AsyncIterable<TreeItem> {
  yield* items;
}

export async function collect<T>(source: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of source) all.push(item);
  return all;
}
