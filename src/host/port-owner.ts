import { readdir, readFile, readlink } from "node:fs/promises";

/** The process that listens on a port. */
export interface PortOwner {
  readonly pid: number;
  /** As the kernel calls it, at most 15 characters. */
  readonly name: string;
}

/**
 * Who listens on a TCP port of this host. Null where that cannot be known: another user's process,
 * a host without /proc.
 */
export async function portOwner(port: number): Promise<PortOwner | null> {
  const inodes = new Set<string>();
  for (const table of ["/proc/net/tcp", "/proc/net/tcp6"]) {
    const text = await readFile(table, "utf8").catch(() => "");
    for (const inode of listeningInodes(text, port)) inodes.add(inode);
  }
  if (inodes.size === 0) return null;
  for (const pid of (await readdir("/proc").catch(() => [])).filter((each) => /^\d+$/.test(each))) {
    if (!(await holdsSocket(pid, inodes))) continue;
    const name = await readFile(`/proc/${pid}/comm`, "utf8").catch(() => "");
    return { pid: Number(pid), name: name.trim() };
  }
  return null;
}

/** Inodes of the sockets of a kernel's TCP table that listen on a port. */
export function listeningInodes(table: string, port: number): readonly string[] {
  const wanted = port.toString(16).toUpperCase().padStart(4, "0");
  const listening = "0A";
  return table
    .split("\n")
    .slice(1)
    .flatMap((line) => {
      const columns = line.trim().split(/\s+/);
      const [, local = "", , state] = columns;
      const inode = columns[9];
      return state === listening && local.endsWith(`:${wanted}`) && inode !== undefined
        ? [inode]
        : [];
    });
}

async function holdsSocket(pid: string, inodes: ReadonlySet<string>): Promise<boolean> {
  // Descriptors of other users cannot be listed; they come and go while we look.
  for (const fd of await readdir(`/proc/${pid}/fd`).catch(() => [])) {
    const target = await readlink(`/proc/${pid}/fd/${fd}`).catch(() => "");
    const inode = /^socket:\[(\d+)\]$/.exec(target)?.[1];
    if (inode !== undefined && inodes.has(inode)) return true;
  }
  return false;
}
