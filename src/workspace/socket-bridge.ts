import type { Duplex } from "node:stream";
import type { ByteStream } from "../agent/guest-calls.ts";
import { MicroagentError } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import type { Op } from "../base/op.ts";

/** Whoever can reach a port of the guest. */
export interface GuestPorts {
  connectPort(op: Op, port: number): Promise<ByteStream>;
}

/** A connection of a host listener; a TCP socket is one. */
export interface PausedSocket extends Duplex {
  resetAndDestroy(): unknown;
}

/**
 * Carries one connection to a guest port and back, until both halves have ended. An end of one half
 * is passed on as such, anything else resets both sides. Never throws.
 */
export async function joinSocket(
  op: Op,
  socket: PausedSocket,
  guest: GuestPorts,
  port: number,
): Promise<void> {
  const failed = new Promise<never>((_resolve, reject) => {
    socket.once("error", reject);
    socket.once("close", () => {
      const whole = socket.readableEnded && socket.writableFinished;
      if (!whole) reject(new MicroagentError("closed", "The connection was reset"));
    });
  });
  failed.catch(() => {});
  let stream: ByteStream | null = null;
  try {
    stream = await op.step(
      "connect",
      (step) => Promise.race([guest.connectPort(step, port), failed]),
      { timeoutMs: limits.ports.connectMs },
    );
    const found = stream;
    found.onFailure(() => socket.resetAndDestroy());
    await Promise.race([
      Promise.all([toGuest(op, socket, found), toHost(op, found, socket)]),
      failed,
    ]);
  } catch {
    stream?.reset();
    socket.resetAndDestroy();
  }
}

async function toGuest(op: Op, socket: PausedSocket, stream: ByteStream): Promise<void> {
  for await (const bytes of socket.iterator({ destroyOnReturn: false })) {
    await stream.write(op, bytes as Uint8Array);
  }
  stream.end();
}

async function toHost(op: Op, stream: ByteStream, socket: PausedSocket): Promise<void> {
  for (;;) {
    const bytes = await stream.read(op);
    if (bytes === null) break;
    if (!socket.write(bytes)) {
      await new Promise<void>((resolve) => {
        socket.once("drain", resolve);
        socket.once("close", resolve);
      });
    }
  }
  await op.race(new Promise<void>((resolve) => socket.end(resolve)));
}
