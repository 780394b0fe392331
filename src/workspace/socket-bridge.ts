import type { Duplex } from "node:stream";
import type { ByteStream } from "../agent/guest-calls.ts";
import { MicroagentError } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import type { Op } from "../base/op.ts";
import { breakOff, type Carrier, hasUnsent } from "../egress/leaving.ts";

/** Whoever can reach a port of the guest. */
export interface GuestPorts {
  connectPort(op: Op, port: number): Promise<ByteStream>;
}

/** A connection of a host listener; a TCP socket is one. */
export interface PausedSocket extends Duplex {
  resetAndDestroy(): unknown;
}

/** One connection of a host listener on its way to a guest port. */
export class JoinedSocket implements Carrier {
  sent = 0;
  readonly #socket: PausedSocket;

  constructor(socket: PausedSocket) {
    this.#socket = socket;
  }

  get pending(): boolean {
    return hasUnsent(this.#socket);
  }

  /**
   * Carries the connection to a guest port and back, until both halves have ended. An end of one half
   * is passed on as such, anything else resets both sides. Never throws.
   */
  async carry(op: Op, guest: GuestPorts, port: number): Promise<void> {
    const socket = this.#socket;
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
      found.onFailure(() => breakOff(socket));
      await Promise.race([
        Promise.all([this.#toGuest(op, found), this.#toHost(op, found)]),
        failed,
      ]);
    } catch {
      stream?.reset();
      breakOff(socket);
    }
  }

  async #toGuest(op: Op, stream: ByteStream): Promise<void> {
    for await (const bytes of this.#socket.iterator({ destroyOnReturn: false })) {
      await stream.write(op, bytes as Uint8Array);
    }
    stream.end();
  }

  async #toHost(op: Op, stream: ByteStream): Promise<void> {
    const socket = this.#socket;
    for (;;) {
      const bytes = await stream.read(op);
      if (bytes === null) break;
      this.sent += bytes.length;
      if (!socket.write(bytes)) {
        await new Promise<void>((resolve) => {
          socket.once("drain", resolve);
          socket.once("close", resolve);
        });
      }
    }
    await op.race(new Promise<void>((resolve) => socket.end(resolve)));
  }
}
