import { type Controller, type GroupLevel, groupLevels, readGroupFile } from "./control-group.ts";

/** A limit that a control group sets, and the group that sets it. */
export interface GroupLimit {
  readonly value: number;
  readonly group: GroupLevel;
}

/** The kernel writes "no limit" of version 1 as the largest number of pages, in bytes. */
const unlimitedV1 = 2 ** 62;
const MiB = 1024 ** 2;

/** The tightest limit on memory in bytes of all groups above this process; null without one. */
export function memoryLimit(root = "/"): GroupLimit | null {
  return tightest("memory", root, (level) =>
    level.version === 2
      ? // Above "high" the kernel only slows a group down, but then a machine no longer answers.
        least(
          number(readGroupFile(level, "memory.max")),
          number(readGroupFile(level, "memory.high")),
        )
      : below(number(readGroupFile(level, "memory.limit_in_bytes")), unlimitedV1),
  );
}

/** The tightest limit on processor time, in processors, such as 1.5; null without one. */
export function processorLimit(root = "/"): GroupLimit | null {
  return tightest("cpu", root, (level) => {
    if (level.version === 2) {
      const [quota = "", period = ""] = (readGroupFile(level, "cpu.max") ?? "").trim().split(/\s+/);
      return share(number(quota), number(period));
    }
    return share(
      number(readGroupFile(level, "cpu.cfs_quota_us")),
      number(readGroupFile(level, "cpu.cfs_period_us")),
    );
  });
}

/** Memory that may be used here: what there is, or less where a limit says so. */
export function boundMemoryMib(hostBytes: number, root = "/"): number {
  const limit = memoryLimit(root);
  return Math.floor(Math.min(hostBytes, limit?.value ?? hostBytes) / MiB);
}

/** Processors that may be used here: a part of one counts as one. */
export function boundProcessors(hostCount: number, root = "/"): number {
  const limit = processorLimit(root);
  return Math.max(1, Math.min(hostCount, Math.ceil(limit?.value ?? hostCount)));
}

/** What people call the group that sets a limit. */
export function groupName(level: GroupLevel): string {
  // The real top of a host has no limits: one that is seen there belongs to a container.
  if (level.isTop) return "this container";
  // Its name is somebody else's text.
  const name = (level.dir.split("/").at(-1) ?? "").replace(/[^\x21-\x7e]/g, "?");
  return `control group "${name}"`;
}

function tightest(
  controller: Controller,
  root: string,
  read: (level: GroupLevel) => number | null,
): GroupLimit | null {
  let best: GroupLimit | null = null;
  for (const group of groupLevels(controller, root)) {
    const value = read(group);
    if (value !== null && (best === null || value < best.value)) best = { value, group };
  }
  return best;
}

/** A plain number; "max", "-1", nothing and nonsense are no limit. */
function number(text: string | null): number | null {
  const digits = (text ?? "").trim();
  return /^\d{1,20}$/.test(digits) ? Number(digits) : null;
}

function share(quota: number | null, period: number | null): number | null {
  return quota === null || period === null || quota === 0 || period === 0 ? null : quota / period;
}

function below(value: number | null, cap: number): number | null {
  return value !== null && value < cap ? value : null;
}

function least(first: number | null, second: number | null): number | null {
  if (first === null || second === null) return first ?? second;
  return Math.min(first, second);
}
