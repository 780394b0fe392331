import { readFile } from "node:fs/promises";

/** What a process has used so far. */
export interface ProcessUsage {
  readonly cpuMs: number;
  /** Resident, shared pages counted whole. */
  readonly memoryBytes: number;
  /** From and to disks, not from the page cache; null where it may not be read. */
  readonly ioReadBytes: number | null;
  readonly ioWriteBytes: number | null;
}

/** The kernel tells processor time in hundredths of a second, whatever its own timer. */
const msPerTick = 10;

/** Null when there is no such process, or no `/proc` to ask. */
export async function processUsage(pid: number): Promise<ProcessUsage | null> {
  const [stat, status, io] = await Promise.all(
    ["stat", "status", "io"].map((name) =>
      readFile(`/proc/${pid}/${name}`, "latin1").catch(() => null),
    ),
  );
  if (typeof stat !== "string" || typeof status !== "string") return null;
  // The second field is the program's name and may hold spaces and brackets: count from its end.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const ticks = Number(fields[11]) + Number(fields[12]);
  return {
    cpuMs: ticks * msPerTick,
    memoryBytes: (numberIn(status, /^VmRSS:\s+(\d+) kB$/m) ?? 0) * 1024,
    ioReadBytes: numberIn(io ?? "", /^read_bytes: (\d+)$/m),
    ioWriteBytes: numberIn(io ?? "", /^write_bytes: (\d+)$/m),
  };
}

function numberIn(text: string, pattern: RegExp): number | null {
  const found = pattern.exec(text)?.[1];
  return found === undefined ? null : Number(found);
}
