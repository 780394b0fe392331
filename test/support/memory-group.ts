import { mkdir, rmdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { TestContext } from "vitest";
import { groupLevels } from "../../src/host/control-group.ts";
import { leaveOut } from "./refused.ts";

/** A control group with a limit on memory, for programs that run behind `wrapper`. */
export interface MemoryGroup extends AsyncDisposable {
  readonly name: string;
  readonly wrapper: readonly string[];
}

/** Makes a group at the top of this host. Leaves out the test where the kernel refuses it. */
export async function openMemoryGroup(
  context: TestContext,
  limitMib: number,
): Promise<MemoryGroup> {
  const tops = groupLevels("memory").filter(({ isTop }) => isTop);
  const name = `microagent-test-${process.pid}`;
  const answers: string[] = [];
  for (const top of tops) {
    const dir = join(top.dir, name);
    const limit = top.version === 2 ? "memory.max" : "memory.limit_in_bytes";
    try {
      if (top.version === 2) await writeFile(join(top.dir, "cgroup.subtree_control"), "+memory");
      await mkdir(dir);
      await writeFile(join(dir, limit), String(limitMib * 1024 ** 2));
    } catch (error) {
      answers.push(String(error));
      await rmdir(dir).catch(() => {});
      continue;
    }
    return {
      name,
      wrapper: ["sh", "-ec", `echo $$ > "$0/cgroup.procs" && exec "$@"`, dir],
      async [Symbol.asyncDispose]() {
        // Busy until the last process that was in it is gone.
        while ((await rmdir(dir).catch((error: NodeJS.ErrnoException) => error.code)) === "EBUSY") {
          await sleep(20);
        }
      },
    };
  }
  const answer = answers.at(-1) ?? "EACCES: no hierarchy with a limit on memory is mounted";
  return leaveOut(context, "A control group of its own", answer);
}
