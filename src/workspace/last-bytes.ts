import type { Op } from "../base/op.ts";
import type { Leaving } from "../egress/leaving.ts";

/** A guest whose last bytes are waited for. */
export interface SendingGuest {
  /** Settles when its kernel has sent what programs that have ended left it. */
  sent(op: Op): Promise<unknown>;
  /** Asks it something and waits for the answer, which a busy guest gives late. */
  roundTrip(op: Op): Promise<unknown>;
  /** What is open on this host's side. */
  leaving(): readonly Leaving[];
}

/** How long last bytes are waited for, where somebody does not take them. */
export const patienceMs = 2_000;
/** Looks in a row at which nothing may have moved, and the pause between two of them. */
const quietLooks = 3;
const pauseMs = 10;

/**
 * Waits until what a guest's programs had sent when they ended has left it: until its kernel has nothing more to send for
 * them, and nothing moves over a few round trips. `withinMs` at most; without a connection, not at all. Never throws.
 */
export async function lastBytes(
  op: Op,
  guest: SendingGuest,
  withinMs: number = patienceMs,
): Promise<void> {
  if (guest.leaving().length === 0) return;
  const work = async (step: Op) => {
    // A guest that cannot tell is looked at all the same.
    await guest.sent(step).catch(() => step.check());
    let quiet = 0;
    for (let before = guest.leaving(); before.length > 0 && quiet < quietLooks; ) {
      await Promise.all([guest.roundTrip(step), step.sleep(pauseMs)]);
      const now = guest.leaving();
      const moves = taken(now) !== taken(before) || now.some(({ pending }) => pending);
      quiet = moves ? 0 : quiet + 1;
      before = now;
    }
  };
  // A guest that no longer answers has nothing more to send.
  await op.step("last-bytes", work, { timeoutMs: withinMs }).catch(() => {});
}

function taken(all: readonly Leaving[]): number {
  return all.reduce((sum, each) => sum + each.taken, 0);
}
