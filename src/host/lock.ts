import { link, open, readdir, readFile, rm, stat, unlink, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { errnoOf, MicroagentError } from "../base/errors.ts";
import { randomHex } from "../base/ids.ts";
import type { Op } from "../base/op.ts";
import { fileError } from "./file-error.ts";
import { BeatWatch, ownerState, startHeartbeat } from "./heartbeat.ts";
import {
  identityTag,
  isTaggedByDead,
  livenessOf,
  ownIdentity,
  type ProcessIdentity,
  parseIdentity,
} from "./process-identity.ts";
import { ensurePrivateDir } from "./state-layout.ts";

/*
 * A lock is a file that holds its owner's identity and a nonce. It appears complete, by a hard link
 * to a file written before, so nobody ever reads half an owner. It is removed by its owner, or, when the
 * owner is dead, by whoever holds the breaker lock (same name, longer by one suffix) and has looked
 * again since: a dead owner cannot act and other breakers wait, so what was judged is what is
 * removed. The breaker is a lock like any other, so its own dead owners are broken one level up.
 */

const breakerSuffix = ".breaker";
const claimSuffix = ".claim";
const breakerDepthMax = 8;
const pollMsMin = 4;
const pollMsMax = 60;
const noteAfterMs = 400;
/** Before the deadline, so that the answer names the holder instead of only the step. */
const giveUpEarlyMs = 100;

export interface LockOptions {
  /** Progress note while waiting, for example "Waiting for another pull of the same image". */
  readonly waitNote?: string | undefined;
}

interface Holder {
  readonly owner: ProcessIdentity | null;
  readonly nonce: string | null;
  readonly touchedAtMs: number;
}

/**
 * Runs `work` while this process alone holds the lock file at `path`; waits for other holders, and
 * takes over from dead ones. Not re-entrant. `lock_timeout` when the op's deadline passes first.
 */
export async function withLock<T>(
  op: Op,
  path: string,
  work: (op: Op) => Promise<T>,
  options: LockOptions = {},
): Promise<T> {
  await ensurePrivateDir(dirname(path));
  const nonce = await acquire(op, path, options.waitNote, 0);
  const stopHeartbeat = startHeartbeat(path);
  try {
    // Not raced against the op: the lock must outlive everything the work still does.
    return await work(op);
  } finally {
    stopHeartbeat();
    await release(path, nonce);
  }
}

/** Removes locks and claims that dead processes left in `dir`; returns how many. */
export async function sweepLocks(op: Op, dir: string): Promise<number> {
  const names = await readdir(dir).catch(() => []);
  let removed = 0;
  for (const name of names) {
    op.check();
    const path = join(dir, name);
    const holder = await readHolder(path);
    if (holder === null) continue;
    const state = ownerState(holder.owner, holder.touchedAtMs);
    // A claim has one writer, who needs it for a moment, and a name of its own: nothing to race with.
    if (name.endsWith(claimSuffix) && (state !== "alive" || isTaggedByDead(name))) {
      await rm(path, { force: true });
    }
    // A silent stranger's lock waits for whoever wants it and has the time to watch it.
    else if (state === "gone") await breakStale(op, path, holder, 0);
    else continue;
    removed++;
  }
  return removed;
}

async function acquire(
  op: Op,
  path: string,
  waitNote: string | undefined,
  depth: number,
): Promise<string> {
  const startedAt = op.clock.monotonic();
  let pollMs = pollMsMin;
  let noted = false;
  const watch = new BeatWatch();
  for (;;) {
    op.check();
    const nonce = await tryAcquire(path);
    if (nonce !== null) return nonce;
    const holder = await readHolder(path);
    if (holder === null) continue;
    if (isGone(holder) || isSilentStranger(holder, watch, op)) {
      await breakStale(op, path, holder, depth);
      continue;
    }
    const leftMs = op.remainingMs() - giveUpEarlyMs;
    if (leftMs <= 0) throw lockTimeout(path, holder);
    if (!noted && op.clock.monotonic() - startedAt > noteAfterMs) {
      noted = true;
      const who = holder.owner === null ? "another process" : `process ${holder.owner.pid}`;
      op.report({
        kind: "note",
        text: `${waitNote ?? `Waiting for "${basename(path)}"`} (${who})`,
      });
    }
    await op.sleep(Math.min(leftMs, pollMs * (0.5 + Math.random())));
    pollMs = Math.min(pollMsMax, pollMs * 1.5);
  }
}

function lockTimeout(path: string, holder: Holder): MicroagentError {
  const who = holder.owner === null ? "another process" : `process ${holder.owner.pid}`;
  return new MicroagentError("lock_timeout", `Lock "${path}" is still held by ${who}`, {
    hint: "Wait for the other run to end, or look at it with: microagent ps",
    details: { path, holderPid: holder.owner?.pid ?? null },
  });
}

async function tryAcquire(path: string): Promise<string | null> {
  const nonce = randomHex(8);
  const body = `${JSON.stringify({ nonce, owner: ownIdentity() })}\n`;
  // Tagged, because a kill before the owner is in the file must not leave a claim of nobody.
  const claim = `${path}.${identityTag(ownIdentity())}.${nonce}${claimSuffix}`;
  try {
    await writeFile(claim, body, { mode: 0o600, flag: "wx" });
    await link(claim, path);
    return nonce;
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === "EEXIST") return null;
    if (errno === "EPERM" || errno === "ENOTSUP" || errno === "ENOSYS" || errno === "EMLINK") {
      return (await createWithoutLink(path, body)) ? nonce : null;
    }
    throw fileError(error, `Lock "${path}" cannot be taken`);
  } finally {
    await unlink(claim).catch(() => {});
  }
}

/** For file systems without hard links; the moment in which the file is empty counts as unreadable. */
async function createWithoutLink(path: string, body: string): Promise<boolean> {
  try {
    const file = await open(path, "wx", 0o600);
    try {
      await file.writeFile(body);
    } finally {
      await file.close();
    }
    return true;
  } catch (error) {
    if (errnoOf(error) === "EEXIST") return false;
    throw fileError(error, `Lock "${path}" cannot be taken`);
  }
}

function isGone(holder: Holder): boolean {
  return ownerState(holder.owner, holder.touchedAtMs) === "gone";
}

function isSilentStranger(holder: Holder, watch: BeatWatch, op: Op): boolean {
  const silent = watch.isSilent(holder.touchedAtMs, op.clock.monotonic());
  return silent && (holder.owner === null || livenessOf(holder.owner) === "foreign");
}

/** Removes the lock that was judged, unless it has changed since. */
async function breakStale(op: Op, path: string, judged: Holder, depth: number): Promise<void> {
  if (depth >= breakerDepthMax) {
    throw new MicroagentError(
      "store_corrupt",
      `Lock "${path}" cannot be broken: too many breakers`,
      {
        hint: `Remove the files that begin with "${path}"`,
      },
    );
  }
  const breaker = path + breakerSuffix;
  const nonce = await acquire(op, breaker, undefined, depth + 1);
  try {
    const holder = await readHolder(path);
    const same = holder?.nonce === judged.nonce && holder.touchedAtMs === judged.touchedAtMs;
    if (holder !== null && (same || isGone(holder))) await rm(path, { force: true });
  } finally {
    await release(breaker, nonce);
  }
}

async function release(path: string, nonce: string): Promise<void> {
  const holder = await readHolder(path);
  // Somebody on another host may have taken us for dead; then the lock is his.
  if (holder?.nonce === nonce) await rm(path, { force: true }).catch(() => {});
}

/** Null when there is no lock; an unreadable one has neither owner nor nonce. */
async function readHolder(path: string): Promise<Holder | null> {
  try {
    const [text, facts] = await Promise.all([readFile(path, "utf8"), stat(path)]);
    return { ...parseHolder(text), touchedAtMs: facts.mtimeMs };
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return null;
    throw fileError(error, `Lock "${path}" cannot be read`);
  }
}

function parseHolder(text: string): { owner: ProcessIdentity | null; nonce: string | null } {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== "object" || value === null) return { owner: null, nonce: null };
    const { owner, nonce } = value as Record<string, unknown>;
    return { owner: parseIdentity(owner), nonce: typeof nonce === "string" ? nonce : null };
  } catch {
    return { owner: null, nonce: null };
  }
}
