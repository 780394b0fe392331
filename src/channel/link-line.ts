import type { Duplex } from "node:stream";
import type { Op } from "../base/op.ts";
import { channelClosed, protocolViolation } from "./failure.ts";

const newline = 0x0a;

/**
 * Reads one line of at most `bytesMax` bytes from a link before any session owns it, and leaves the
 * bytes behind it in the link. `check` sees what has arrived so far and throws to refuse it.
 */
export async function readLinkLine(
  op: Op,
  link: Duplex,
  bytesMax: number,
  check: (soFar: Buffer) => void,
): Promise<Buffer> {
  let stop = () => {};
  const line = new Promise<Buffer>((resolve, reject) => {
    let soFar = Buffer.alloc(0);
    const onData = (chunk: Buffer) => {
      const at = chunk.indexOf(newline);
      const lineBytes = soFar.length + (at < 0 ? chunk.length : at);
      const part = chunk.subarray(0, Math.max(0, Math.min(at < 0 ? chunk.length : at, bytesMax)));
      soFar = Buffer.concat([soFar, part]);
      try {
        check(soFar);
        if (lineBytes >= bytesMax) {
          throw protocolViolation(`The guest sent a line of more than ${bytesMax} bytes`);
        }
      } catch (error) {
        stop();
        reject(error);
        return;
      }
      if (at < 0) return;
      stop();
      if (at + 1 < chunk.length) link.unshift(chunk.subarray(at + 1));
      resolve(soFar);
    };
    const onEnd = () => {
      stop();
      reject(channelClosed("The connection to the guest agent ended before the handshake"));
    };
    const onError = (cause: Error) => {
      stop();
      reject(channelClosed(`The connection to the guest agent broke: ${cause.message}`, cause));
    };
    stop = () => {
      link.pause();
      link.removeListener("data", onData);
      link.removeListener("end", onEnd);
      link.removeListener("close", onEnd);
      // The error listener stays: between here and the session an error must not be uncaught.
    };
    link.on("error", onError);
    if (link.destroyed || link.readableEnded) {
      onEnd();
      return;
    }
    link.on("data", onData);
    link.on("end", onEnd);
    link.on("close", onEnd);
    link.resume();
  });
  try {
    return await op.race(line);
  } finally {
    stop();
  }
}
