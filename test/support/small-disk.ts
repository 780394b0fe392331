import { mkdir, mkdtemp, open, rm, rmdir, statfs, symlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { TestContext } from "vitest";
import { mountNamespace } from "./mounts.ts";
import { leaveOut } from "./refused.ts";

/** A directory on a disk of so many MiB, seen by programs that run behind `wrapper`. */
export interface SmallDisk extends AsyncDisposable {
  readonly wrapper: readonly string[];
}

const MiB = 1024 ** 2;
/** A shared memory disk as containers have it. On a host it is half of the memory, and not filled up. */
const sharedMemory = "/dev/shm";
const sharedMibMax = 1024;

/**
 * Makes `dir`, which must not exist, a disk with `mib` MiB of room: a mount that nobody else sees, or else the rest of a
 * container's small shared memory. Leaves out the test where neither can be had.
 */
export async function openSmallDisk(
  context: TestContext,
  dir: string,
  mib: number,
): Promise<SmallDisk> {
  const namespace = await mountNamespace();
  await mkdir(dirname(dir), { recursive: true });
  if (namespace.words !== null) {
    await mkdir(dir, { mode: 0o700 });
    const script = `mount -t tmpfs -o size=${mib}m,mode=700 tmpfs "$0" && exec "$@"`;
    return {
      wrapper: [...namespace.words, "sh", "-ec", script, dir],
      [Symbol.asyncDispose]: () => rmdir(dir),
    };
  }
  const held = await fillSharedMemory(mib);
  if (held === null) {
    return leaveOut(context, `A mount of ${mib} MiB`, namespace.answer);
  }
  await symlink(held, dir);
  return {
    wrapper: [],
    async [Symbol.asyncDispose]() {
      await rm(dir, { force: true });
      await rm(dirname(held), { recursive: true, force: true });
    },
  };
}

/** An empty directory in shared memory with exactly so much room; null where that is too large or too small. */
async function fillSharedMemory(mib: number): Promise<string | null> {
  const facts = await statfs(sharedMemory).catch(() => null);
  if (facts === null || facts.blocks * facts.bsize > sharedMibMax * MiB) return null;
  const ballast = facts.bavail * facts.bsize - mib * MiB;
  if (ballast < 0) return null;
  const parent = await mkdtemp(join(sharedMemory, "microagent-"));
  const dir = join(parent, "disk");
  await mkdir(dir, { mode: 0o700 });
  const file = await open(join(parent, "ballast"), "wx", 0o600);
  try {
    const zeros = Buffer.alloc(MiB);
    for (let left = ballast; left > 0; left -= zeros.length) {
      await file.write(zeros, 0, Math.min(left, zeros.length));
    }
  } finally {
    await file.close();
  }
  return dir;
}
