import { readdir, readFile, rm, stat } from "node:fs/promises";
import { basename, join, relative, sep } from "node:path";
import { MicroagentError } from "../base/errors.ts";
import { randomHex } from "../base/ids.ts";
import type { Op } from "../base/op.ts";
import { namesIn } from "./directory-names.ts";
import { writeFileAtomic } from "./files.ts";
import { isSilentSinceNoted, ownerState, startHeartbeat, watchNoteOf } from "./heartbeat.ts";
import { sweepLocks } from "./lock.ts";
import {
  identityTag,
  isAlive,
  isOwn,
  isTaggedByDead,
  ownIdentity,
  type ProcessIdentity,
  parseIdentity,
} from "./process-identity.ts";
import { ensurePrivateDir, type StateLayout } from "./state-layout.ts";

const killWaitMs = 5_000;
const killPollMs = 10;
/** A file is written beside its name in a moment; one that is older was left by a killed writer, whoever that was. */
const temporaryMsMax = 10 * 60_000;

/** What a lease says about a running machine; enough to end it and to tidy up after it. */
export interface LeaseFields {
  readonly workspace: string;
  /** Backend name, for listings. */
  readonly supervisor: string;
  readonly vmm: ProcessIdentity | null;
  /** A directory inside the layout's `runtime`, removed with the lease. */
  readonly runtimeDir: string | null;
  /** A directory of the user in which the run makes a `stagingPrefix` directory now and then. */
  readonly outputDir: string | null;
}

/** How the names begin of what a run stages beside its outputs: its own and nobody else's. */
export function stagingPrefix(runtimeDir: string): string {
  return `.collecting-${basename(runtimeDir)}-`;
}

export interface LeaseRecord extends LeaseFields {
  readonly path: string;
  readonly owner: ProcessIdentity;
  readonly startedAt: Date;
  /** When the owner last touched the lease, by the wall clock. */
  readonly touchedAtMs: number;
  /** What can be said at once; a silent stranger counts as dead here, and is watched before anything goes. */
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
  let fields: LeaseFields = {
    supervisor: "unknown",
    vmm: null,
    runtimeDir: null,
    outputDir: null,
    ...record,
  };
  const startedAt = new Date().toISOString();
  const save = (survivesPowerCut: boolean) =>
    writeFileAtomic(
      path,
      `${JSON.stringify({ version: 1, owner: ownIdentity(), startedAt, ...fields })}\n`,
      { survivesPowerCut, tag: identityTag(ownIdentity()) },
    );
  // A power cut ends what it stands for; a directory that no lease names is collected too.
  await save(false);
  const stopHeartbeat = startHeartbeat(path);
  let released = false;
  return {
    path,
    async update(change) {
      fields = { ...fields, ...change };
      // The machine does not outlive a power cut, what it has left on the disk does.
      if (!released) await save(change.runtimeDir !== undefined || change.outputDir !== undefined);
    },
    async release() {
      released = true;
      stopHeartbeat();
      await removeLeaseFile(path).catch(() => {});
    },
  };
}

/** Every lease of this state directory, oldest first; unreadable files are left out. */
export async function listLeases(layout: StateLayout): Promise<readonly LeaseRecord[]> {
  return (await readLeases(layout)).records;
}

/** A lease file that does not say whose it is; what it protects is known by its name alone. */
export interface UnreadableLease {
  readonly path: string;
  readonly workspace: string;
  readonly touchedAtMs: number;
}

/** As `listLeases`, with the files that cannot be read. */
export async function readLeases(layout: StateLayout): Promise<{
  readonly records: readonly LeaseRecord[];
  readonly unreadable: readonly UnreadableLease[];
}> {
  const records: LeaseRecord[] = [];
  const unreadable: UnreadableLease[] = [];
  for (const name of await namesIn(layout.leases)) {
    if (!name.endsWith(".json") || name.startsWith(".")) continue;
    const path = join(layout.leases, name);
    const facts = await stat(path).catch(() => null);
    // It was given back meanwhile.
    if (facts === null) continue;
    const record = parseLease(path, await readFile(path, "utf8").catch(() => ""), facts.mtimeMs);
    if (record !== null) records.push(record);
    else if (await stat(path).catch(() => null)) {
      const workspace = name.replace(/\.[0-9a-f]+\.json$/, "");
      unreadable.push({ path, workspace, touchedAtMs: facts.mtimeMs });
    }
  }
  records.sort((a, b) => a.startedAt.getTime() - b.startedAt.getTime());
  return { records, unreadable };
}

function parseLease(path: string, text: string, touchedAtMs: number): LeaseRecord | null {
  try {
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
      touchedAtMs,
      workspace: raw.workspace,
      supervisor: typeof raw.supervisor === "string" ? raw.supervisor : "unknown",
      runtimeDir: typeof raw.runtimeDir === "string" ? raw.runtimeDir : null,
      outputDir: typeof raw.outputDir === "string" ? raw.outputDir : null,
      startedAt: new Date(typeof raw.startedAt === "string" ? raw.startedAt : 0),
      ownerAlive: ownerState(owner, touchedAtMs) === "alive",
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
 * removes their runtime directories, leases and locks. Machines of living owners are not touched; an
 * owner that cannot be looked at is watched over several calls first.
 * May run in many processes at once and any number of times. `host_tool_failed` when a VMM survives.
 */
export async function collectLeases(op: Op, layout: StateLayout): Promise<readonly Collected[]> {
  const collected: Collected[] = [];
  const { records, unreadable } = await readLeases(layout);
  for (const lease of records) {
    op.check();
    const state = ownerState(lease.owner, lease.touchedAtMs);
    if (state === "alive") continue;
    if (state === "silent" && !(await isSilentSinceNoted(lease.path, lease.touchedAtMs))) continue;
    collected.push(await collect(op, layout, lease));
  }
  for (const lease of unreadable) {
    if (!(await isSilentSinceNoted(lease.path, lease.touchedAtMs))) continue;
    await removeLeaseFile(lease.path);
    collected.push({ workspace: lease.workspace, killedPid: null, removedDir: null });
  }
  await sweepLeaseFiles(layout);
  await sweepLocks(op, layout.locks);
  return collected;
}

async function collect(op: Op, layout: StateLayout, lease: LeaseRecord): Promise<Collected> {
  const killedPid = lease.vmm === null ? null : await killExactly(op, lease.vmm);
  const dir = lease.runtimeDir;
  const removedDir = dir !== null && isInside(layout.runtime, dir) ? dir : null;
  if (removedDir !== null) {
    if (lease.outputDir !== null) await sweepStaging(lease.outputDir, removedDir);
    await rm(removedDir, { recursive: true, force: true, maxRetries: 3 });
  }
  await removeLeaseFile(lease.path);
  return { workspace: lease.workspace, killedPid, removedDir };
}

/** What a killed run was about to write, under names that nobody else gives. */
async function sweepStaging(outputDir: string, runtimeDir: string): Promise<void> {
  const names = await readdir(outputDir).catch(() => []);
  for (const name of names.filter((each) => each.startsWith(stagingPrefix(runtimeDir)))) {
    // The directory is the user's by now, and may be read-only: that keeps nobody from tidying up the rest.
    await rm(join(outputDir, name), { recursive: true, force: true, maxRetries: 3 }).catch(
      () => {},
    );
  }
}

async function removeLeaseFile(path: string): Promise<void> {
  await rm(path, { force: true });
  await rm(watchNoteOf(path), { force: true });
}

/** Half-written files of killed writers, and notes about leases that are gone. */
async function sweepLeaseFiles(layout: StateLayout): Promise<void> {
  const names = await namesIn(layout.leases);
  for (const name of names) {
    const path = join(layout.leases, name);
    const note = watchNoteOf("");
    const isOrphan = name.endsWith(note) && !names.includes(name.slice(0, -note.length));
    const isUnwanted = isOrphan || (name.endsWith(".tmp") && (await wasLeft(path)));
    if (isUnwanted) await rm(path, { force: true });
  }
}

/** Whether nobody will give a file its name any more: its name says whose it was, and he is dead, or it is old. */
async function wasLeft(path: string): Promise<boolean> {
  if (isTaggedByDead(basename(path))) return true;
  const facts = await stat(path).catch(() => null);
  return facts !== null && Date.now() - facts.mtimeMs > temporaryMsMax;
}

/**
 * Ends the process that holds a lease, and its VMM; a program that holds machines itself is not ended by what it
 * asks for. `host_tool_failed` when one of them survives.
 */
export async function killOwner(op: Op, lease: LeaseRecord): Promise<void> {
  if (!isOwn(lease.owner)) await killExactly(op, lease.owner);
  if (lease.vmm !== null) await killExactly(op, lease.vmm);
}

async function killExactly(op: Op, target: ProcessIdentity): Promise<number | null> {
  if (!isAlive(target)) return null;
  const deadline = op.clock.monotonic() + killWaitMs;
  while (isAlive(target)) {
    try {
      process.kill(target.pid, "SIGKILL");
    } catch {
      // It ended meanwhile, or it is not ours; the loop's condition and deadline tell which.
    }
    if (op.clock.monotonic() > deadline) {
      throw new MicroagentError("host_tool_failed", `Process ${target.pid} cannot be killed`, {
        hint: `Look at it with: ps -fp ${target.pid}`,
      });
    }
    await op.sleep(killPollMs);
  }
  return target.pid;
}

/** True when `path` lies inside `dir`: a damaged lease must not make us remove anything else. */
function isInside(dir: string, path: string): boolean {
  const step = relative(dir, path);
  return step !== "" && step !== ".." && !step.startsWith(`..${sep}`) && !step.startsWith(sep);
}
