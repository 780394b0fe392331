import type { Op } from "../../base/op.ts";
import type { ChannelStream } from "../../channel/stream.ts";

/**
 * Carries bytes between two streams, each as fast as the other takes them, until both halves of both have ended. An
 * end is passed on as an end, a reset as a reset. Never throws.
 */
export async function splice(op: Op, a: ChannelStream, b: ChannelStream): Promise<void> {
  a.onFailure(() => b.reset());
  b.onFailure(() => a.reset());
  try {
    await Promise.all([carry(op, a, b), carry(op, b, a)]);
  } catch {
    a.reset();
    b.reset();
  }
}

async function carry(op: Op, from: ChannelStream, to: ChannelStream): Promise<void> {
  for (;;) {
    const bytes = await from.read(op);
    if (bytes === null) return to.end();
    await to.write(op, bytes);
  }
}
