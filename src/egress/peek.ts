import type { ByteStream } from "../agent/guest-calls.ts";
import { isMicroagentError } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import type { Op } from "../base/op.ts";
import { type FirstBytes, firstBytesMax, readFirstBytes } from "./first-bytes.ts";

export interface Peeked {
  /** Null: the guest ended its half without a byte. */
  readonly first: FirstBytes | null;
  readonly bytes: Uint8Array;
}

/** What may be waited for. */
export interface Patience {
  /** A name has to be found. */
  readonly demanded: boolean;
  /** A line that says nothing yet may leave after a while. */
  readonly anyProtocol: boolean;
}

/**
 * Reads until the guest has said what it speaks, at most 16 KiB and a time from its first byte. How long it
 * waits before that byte is its own business: in many protocols the server speaks first.
 */
export async function peek(op: Op, stream: ByteStream, patience: Patience): Promise<Peeked> {
  const { demanded, anyProtocol } = patience;
  let bytes: Uint8Array | null = await stream.read(op);
  if (bytes === null) return { first: null, bytes: new Uint8Array(0) };
  const { firstBytesMs, firstHeadMs } = limits.egress;
  const since = op.clock.monotonic();
  for (;;) {
    const first = readFirstBytes(bytes, demanded);
    if (first.kind !== "incomplete" || bytes.length >= firstBytesMax) return { first, bytes };
    const short = !demanded || (anyProtocol && first.text);
    const timeoutMs = since + (short ? firstBytesMs : firstHeadMs) - op.clock.monotonic();
    const more = timeoutMs <= 0 ? null : await readWithin(op, stream, timeoutMs);
    if (more === null) return { first, bytes };
    bytes = Buffer.concat([bytes, more]);
  }
}

async function readWithin(
  op: Op,
  stream: ByteStream,
  timeoutMs: number,
): Promise<Uint8Array | null> {
  try {
    return await op.step("peek", (inner) => stream.read(inner), { timeoutMs });
  } catch (error) {
    if (isMicroagentError(error) && error.code === "timeout") return null;
    throw error;
  }
}
