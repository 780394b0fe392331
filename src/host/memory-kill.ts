import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type GroupLevel, groupLevels, readGroupFile } from "./control-group.ts";
import { groupName, memoryLimit } from "./group-limits.ts";

/** A process that the kernel has killed because memory ran out. */
export interface MemoryKill {
  /** What ran out, as the end of a sentence: "the memory limit of this container (2048 MiB) was reached". */
  readonly reason: string;
  /** The limit that was reached, null when the whole host had no memory left. */
  readonly limitMib: number | null;
  /** Whether a counter of this process's own groups says so; another process's end may have raised a wider one. */
  readonly certain: boolean;
}

/** How often the kernel had killed for memory at one moment. */
export interface MemoryKillMark {
  readonly root: string;
  readonly levels: readonly MarkedLevel[];
  readonly host: number | null;
}

interface MarkedLevel {
  readonly level: GroupLevel;
  readonly counts: Counts;
}

interface Counts {
  /** Processes killed in the group; with version 2 also in those below it. */
  readonly kills: number | null;
  /** How often this group's own limit could not be kept. */
  readonly failures: number | null;
}

/** Notes the kernel's counters. Taken before a process starts, compared after it was killed. */
export function markMemoryKills(root = "/"): MemoryKillMark {
  return {
    root,
    levels: groupLevels("memory", root).map((level) => ({ level, counts: countsOf(level) })),
    host: countIn(readText(join(root, "proc/vmstat")), "oom_kill"),
  };
}

/** Whether the kernel has killed a process for memory since the mark; null when it has not. */
export function memoryKillSince(mark: MemoryKillMark): MemoryKill | null {
  // The process's own group, where it counts at all. With version 2 those above it count their other children too.
  const own = mark.levels.find(({ counts }) => counts.kills !== null);
  if (own !== undefined) {
    if (!hasRisen(own.counts.kills, countsOf(own.level).kills)) return null;
    return { ...ranOut(mark, own.level.version), certain: true };
  }
  // The whole host's counter: it may have risen for somebody else's process.
  const host = countIn(readText(join(mark.root, "proc/vmstat")), "oom_kill");
  return hasRisen(mark.host, host) ? { ...ranOut(mark, null), certain: false } : null;
}

/** "The kernel killed NAME: REASON", with the doubt there is. */
export function sayMemoryKill(what: string, kill: MemoryKill): string {
  return `The kernel ${kill.certain ? "killed" : "probably killed"} ${what}: ${kill.reason}`;
}

/** What a person can do about it. */
export function memoryKillHint(kill: MemoryKill): string {
  return kill.limitMib === null
    ? "Run fewer or smaller machines (--memory), or use a host with more memory"
    : "Run fewer or smaller machines (--memory), or raise the limit, for example: docker run --memory 8g";
}

/** Which limit was reached: that of the group next to the process which could not be kept. */
function ranOut(mark: MemoryKillMark, counting: 1 | 2 | null): Omit<MemoryKill, "certain"> {
  const levels = mark.levels.filter(({ level }) => level.version === counting);
  const full = levels.find(({ level, counts }) =>
    hasRisen(counts.failures, countsOf(level).failures),
  );
  if (full !== undefined) return limitReached(full.level, limitOf(full.level));
  const tightest = memoryLimit(mark.root);
  const isCounted = levels.some(({ counts }) => counts.failures !== null);
  if (!isCounted && tightest !== null) return limitReached(tightest.group, tightest.value);
  // The real top of version 2 has no such file; any other top may have groups above it.
  const top = levels.find(({ level }) => level.isTop)?.level;
  const seesAll = top?.version === 2 && readGroupFile(top, "memory.max") === null;
  const who = seesAll ? "the host" : "the host, or a group above those that are visible here,";
  return { reason: `${who} had no memory left`, limitMib: null };
}

function limitReached(level: GroupLevel, bytes: number | null): Omit<MemoryKill, "certain"> {
  const limitMib = bytes === null ? null : Math.floor(bytes / 1024 ** 2);
  const size = limitMib === null ? "" : ` (${limitMib} MiB)`;
  return { reason: `the memory limit of ${groupName(level)}${size} was reached`, limitMib };
}

function limitOf(level: GroupLevel): number | null {
  const file = level.version === 2 ? "memory.max" : "memory.limit_in_bytes";
  const text = (readGroupFile(level, file) ?? "").trim();
  // Version 1 writes "no limit" as a number beyond any memory.
  return /^\d{1,18}$/.test(text) ? Number(text) : null;
}

function countsOf(level: GroupLevel): Counts {
  if (level.version === 1) {
    return {
      kills: countIn(readGroupFile(level, "memory.oom_control"), "oom_kill"),
      failures: limitOf(level) === null ? null : failuresV1(level),
    };
  }
  const events = readGroupFile(level, "memory.events");
  const kills = countIn(events, "oom_kill");
  // A whole group that goes at once is counted once more by kernels that know "memory.oom.group".
  const groupKills = countIn(events, "oom_group_kill");
  return {
    kills: kills === null ? groupKills : kills + (groupKills ?? 0),
    failures: countIn(readGroupFile(level, "memory.events.local"), "oom"),
  };
}

/** Docker limits memory and memory with swap alike, and then only the second one counts failures. */
function failuresV1(level: GroupLevel): number | null {
  const memory = plain(readGroupFile(level, "memory.failcnt"));
  const withSwap = plain(readGroupFile(level, "memory.memsw.failcnt"));
  return memory === null ? withSwap : memory + (withSwap ?? 0);
}

function hasRisen(before: number | null, after: number | null): boolean {
  return before !== null && after !== null && after > before;
}

function countIn(text: string | null, name: string): number | null {
  for (const line of (text ?? "").split("\n")) {
    const [key, value] = line.split(" ");
    if (key === name) return plain(value ?? "");
  }
  return null;
}

function plain(text: string | null): number | null {
  const digits = (text ?? "").trim();
  return /^\d{1,18}$/.test(digits) ? Number(digits) : null;
}

function readText(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return null;
  }
}
