import { createHash } from "node:crypto";
import { readFile, stat, utimes } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf, MicroagentError } from "../../base/errors.ts";
import type { Op } from "../../base/op.ts";
import { fileError } from "../../host/file-error.ts";
import { writeFileAtomic } from "../../host/files.ts";
import { ensurePrivateDir, type StateLayout } from "../../host/state-layout.ts";
import type { InstalledKernel } from "../installed-kernel.ts";
import { writeCpio } from "./cpio.ts";
import { initramfsEntries } from "./entries.ts";
import { removeUnused } from "./remove-unused.ts";

/** A file used daily is refreshed daily, so that a month without use shows. */
const refreshMs = 24 * 3_600_000;

/** Raise when the archive's shape changes: the cache is keyed by it. */
const shapeRevision = 2;

/**
 * Path of an initramfs with the agent as its init, its network process and the kernel's modules, made once per content.
 * `host_tool_missing` when the agent was not built; `store_corrupt` when a module is not what its
 * record says.
 */
export async function ensureInitramfs(
  op: Op,
  layout: StateLayout,
  kernel: InstalledKernel,
  agentPath: string,
  networkPath: string | null = null,
): Promise<string> {
  const agent = await op.race(readAgent(agentPath));
  const network = networkPath === null ? null : await op.race(readAgent(networkPath));
  const path = join(layout.cache, `initramfs-${contentKey(kernel, agent, network)}.cpio`);
  if (await isThere(op, path)) return path;
  await ensurePrivateDir(layout.cache);
  const entries = await initramfsEntries(op, kernel, agent, network);
  await op.race(writeFileAtomic(path, writeCpio(entries)));
  await removeUnused(op, layout.cache);
  return path;
}

function contentKey(
  kernel: InstalledKernel,
  agent: Uint8Array,
  network: Uint8Array | null,
): string {
  const hash = createHash("sha256");
  hash.update(`shape ${shapeRevision}\n`);
  for (const { file, sha256, phase } of kernel.modules) hash.update(`${file} ${sha256} ${phase}\n`);
  hash.update(`agent ${agent.length}\n`).update(agent);
  if (network !== null) hash.update("network\n").update(network);
  return hash.digest("hex").slice(0, 32);
}

async function readAgent(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (error) {
    if (errnoOf(error) !== "ENOENT") throw fileError(error, `Agent "${path}" cannot be read`);
    throw new MicroagentError("host_tool_missing", `The guest agent "${path}" is not there`, {
      hint: "Build it with: npm run build:guest",
      cause: error,
    });
  }
}

/** A file under its final name is complete; using it counts as news to `removeUnused`. */
async function isThere(op: Op, path: string): Promise<boolean> {
  try {
    const facts = await stat(path);
    const now = new Date(op.clock.now());
    if (now.getTime() - facts.mtimeMs > refreshMs) {
      await utimes(path, now, now).catch(() => {});
    }
    return true;
  } catch {
    return false;
  }
}
