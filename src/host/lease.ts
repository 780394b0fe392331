import { readdir, readFile, rm, stat } from "node:fs/promises";
import { join, relative, sep } from "node:path";
import { errnoOf, MicroagentError } from "../base/errors.ts";
import { randomHex } from "../base/ids.ts";
import type { Op } from "../base/op.ts";
import { fileError } from "./file-error.ts";
import { writeFileAtomic } from "./files.ts";
import { isOwnerGone, startHeartbeat } from "./heartbeat.ts";
import { sweepLocks } from "./lock.ts";
import { isAlive, ownIdentity, type ProcessIdentity, parseIdentity } from "./process-identity.ts";
import { ensurePrivateDir, type StateLayout } from "./state-layout.ts";

const killWaitMs = 5_000;
const killPollMs = 10;

/** What a lease says about a running machine; enough to end it and to tidy up after it. */
export interface LeaseFields {
  readonly workspace: string;
  /** Backend name, for listings. */
  readonly supervisor: string;
  readonly vmm: ProcessIdentity | null;
  /** A directory inside the layout's `runtime`, removed with the lease. */
  readonly runtimeDir: string | null;
}

export interface LeaseRecord extends LeaseFields {
  readonly path: string;
  readonly owner: ProcessIdentity;
  readonly startedAt: Date;
  readonly ownerAlive: boolean;
  readonly vmmAlive: boolean;
}

/** The claim of this process on one machine. */
export interface Lease {
  readonly path: string;
  update(fields: Partial<LeaseFields>): Promise<void>;
  /** Removes the lease file; may be called again. */
  release(): Promise<void>;
}

/** Writes a lease owned by this process. `no_space`, `store_corrupt`. */
export async function takeLease(
  layout: StateLayout,
  record: Pick<LeaseFields, "workspace"> & Partial<LeaseFields>,
): Promise<Lease> {
  await ensurePrivateDir(layout.leases);
  const path = join(layout.leases, `${record.workspace}.${randomHex(6)}.json`);
  let fields: LeaseFields = { supervisor: "unknown", vmm: null, runtimeDir: null, ...record };
  const startedAt = new Date().toISOString();
  const save = () =>
    writeFileAtomic(
      path,
      `${JSON.stringify({ version: 1, owner: ownIdentity(), startedAt, ...fields })}\n`,
    );
  await save();
  const stopHeartbeat = startHeartbeat(path);
  let released = false;
  return {
    path,
    async update(change) {
      fields = { ...fields, ...change };
      if (!released) await save();
    },
    async release() {
      released = true;
      stopHeartbeat();
      await rm(path, { force: true }).catch(() => {});
    },
  };
}

/** Every lease of this state directory, oldest first; unreadable files are left out. */
export async function listLeases(layout: StateLayout): Promise<readonly LeaseRecord[]> {
  const names = await readdir(layout.leases).catch((error: unknown) => {
    if (errnoOf(error) === "ENOENT") return [];
    throw fileError(error, `Directory "${layout.leases}" cannot be read`);
  });
  const found: LeaseRecord[] = [];
  for (const name of names.filter((each) => each.endsWith(".json") && !each.startsWith("."))) {
    const record = await readLease(join(layout.leases, name));
    if (record !== null) found.push(record);
  }
  return found.sort((a, b) => a.startedAt.getTime() - b.startedAt.getTime());
}

async function readLease(path: string): Promise<LeaseRecord | null> {
  try {
    const [text, facts] = await Promise.all([readFile(path, "utf8"), stat(path)]);
    const value: unknown = JSON.parse(text);
    if (typeof value !== "object" || value === null) return null;
    const raw = value as Record<string, unknown>;
    const owner = parseIdentity(raw.owner);
    if (owner === null || typeof raw.workspace !== "string") return null;
    const vmm = parseIdentity(raw.vmm);
    return {
      path,
      owner,
      vmm,
      workspace: raw.workspace,
      supervisor: typeof raw.supervisor === "string" ? raw.supervisor : "unknown",
      runtimeDir: typeof raw.runtimeDir === "string" ? raw.runtimeDir : null,
      startedAt: new Date(typeof raw.startedAt === "string" ? raw.startedAt : 0),
      ownerAlive: !isOwnerGone(owner, facts.mtimeMs),
      vmmAlive: vmm !== null && isAlive(vmm),
    };
  } catch {
    return null;
  }
}

/** One abandoned lease and what was done about it. */
export interface Collected {
  readonly workspace: string;
  /** The VMM that was killed, null when none was left. */
  readonly killedPid: number | null;
  readonly removedDir: string | null;
}

/**
 * Ends what dead owners left behind: kills their VMMs (only the very process the lease names),
 * removes their runtime directories, leases and locks. Machines of living owners are not touched.
 * May run in many processes at once and any number of times. `host_tool_failed` when a VMM survives.
 */
export async function collectLeases(op: Op, layout: StateLayout): Promise<readonly Collected[]> {
  const collected: Collected[] = [];
  for (const lease of await listLeases(layout)) {
    op.check();
    if (!lease.ownerAlive) collected.push(await collect(op, layout, lease));
  }
  await sweepLocks(op, layout.locks);
  return collected;
}

async function collect(op: Op, layout: StateLayout, lease: LeaseRecord): Promise<Collected> {
  const killedPid = lease.vmm === null ? null : await killExactly(op, lease.vmm);
  const dir = lease.runtimeDir;
  const removedDir = dir !== null && isInside(layout.runtime, dir) ? dir : null;
  if (removedDir !== null) await rm(removedDir, { recursive: true, force: true, maxRetries: 3 });
  await rm(lease.path, { force: true });
  return { workspace: lease.workspace, killedPid, removedDir };
}

async function killExactly(op: Op, vmm: ProcessIdentity): Promise<number | null> {
  if (!isAlive(vmm)) return null;
  const deadline = op.clock.monotonic() + killWaitMs;
  while (isAlive(vmm)) {
    try {
      process.kill(vmm.pid, "SIGKILL");
    } catch {
      // It ended meanwhile, or it is not ours; the loop's condition and deadline tell which.
    }
    if (op.clock.monotonic() > deadline) {
      throw new MicroagentError("host_tool_failed", `VMM process ${vmm.pid} cannot be killed`, {
        hint: `Look at it with: ps -fp ${vmm.pid}`,
      });
    }
    await op.sleep(killPollMs);
  }
  return vmm.pid;
}

/** True when `path` lies inside `dir`: a damaged lease must not make us remove anything else. */
function isInside(dir: string, path: string): boolean {
  const step = relative(dir, path);
  return step !== "" && step !== ".." && !step.startsWith(`..${sep}`) && !step.startsWith(sep);
}
