import type { Op } from "../base/op.ts";
import type { Leaving } from "../egress/leaving.ts";

/** How long last bytes are waited for, whoever does not take them. */
const patienceMs = 2_000;
/** Looks in a row at which nothing may have moved, and the pause between two of them. */
const quietLooks = 3;
const pauseMs = 10;

/**
 * Waits until what a guest's programs had sent when they ended has left it: until nothing moves over a few round trips to the
 * guest, which a busy guest answers late as well. Two seconds at most; without a connection, not at all. Never throws.
 */
export async function lastBytes(
  op: Op,
  leaving: () => readonly Leaving[],
  roundTrip: (op: Op) => Promise<void>,
): Promise<void> {
  const work = async (step: Op) => {
    let quiet = 0;
    for (let before = leaving(); before.length > 0 && quiet < quietLooks; ) {
      await Promise.all([roundTrip(step), step.sleep(pauseMs)]);
      const now = leaving();
      const moves = taken(now) !== taken(before) || now.some(({ pending }) => pending);
      quiet = moves ? 0 : quiet + 1;
      before = now;
    }
  };
  if (leaving().length === 0) return;
  // A guest that no longer answers has nothing more to send.
  await op.step("last-bytes", work, { timeoutMs: patienceMs }).catch(() => {});
}

function taken(all: readonly Leaving[]): number {
  return all.reduce((sum, each) => sum + each.taken, 0);
}
