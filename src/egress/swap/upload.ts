import type { Readable, Writable } from "node:stream";
import type { Op } from "../../base/op.ts";
import { drained, Silence, silent, wrongLength } from "./relay.ts";

/**
 * Copies the body of a request at the pace of the server that reads it, and does not end the sink. When `unwanted` is
 * aborted or the sink is closed, the rest is read and dropped: a client that is cut off while it sends does not
 * read the answer. Resolves with whether all of it was sent; fails when the source breaks off or has another length
 * than `announced`.
 */
export async function upload(
  op: Op,
  source: Readable,
  sink: Writable,
  announced: number | null,
  unwanted: AbortSignal,
): Promise<boolean> {
  const silence = new Silence(op, () => source.destroy(silent()));
  let isWanted = true;
  const stop = () => {
    isWanted = false;
  };
  sink.once("close", stop);
  sink.once("error", stop);
  unwanted.addEventListener("abort", stop, { once: true });
  if (unwanted.aborted || sink.destroyed) stop();
  let bytes = 0;
  try {
    for await (const chunk of source.iterator({ destroyOnReturn: false })) {
      silence.broken();
      bytes += chunk.length;
      // What goes beyond the announced end would be read as another request.
      if (announced !== null && bytes > announced) throw wrongLength();
      if (isWanted && !sink.write(chunk)) await drained(op, sink, unwanted);
    }
    if (announced !== null && bytes !== announced) throw wrongLength();
    return isWanted;
  } finally {
    silence.end();
    sink.removeListener("close", stop);
    unwanted.removeEventListener("abort", stop);
  }
}
