import type { Duplex } from "node:stream";

/** How far what a guest sends through some connections has come. */
export interface Leaving {
  /** Changes with every byte that is taken from the guest, and with every connection that ends. */
  readonly taken: number;
  /** Bytes were taken from the guest that this host's kernel does not have yet. */
  readonly pending: boolean;
}

/** One connection that carries a guest's bytes. */
export interface Carrier {
  /** Bytes taken from the guest. */
  readonly sent: number;
  /** Some of them are not with this host's kernel yet. */
  readonly pending: boolean;
}

/** Of all connections of one kind; null when none is open. */
export function leavingBy(carriers: Iterable<Carrier>): Leaving | null {
  const open = [...carriers];
  if (open.length === 0) return null;
  return {
    taken: open.reduce((sum, { sent }) => sum + sent, 0),
    pending: open.some(({ pending }) => pending),
  };
}

/** Whether a socket has bytes, or its half's end, that this host's kernel does not have yet. */
export function hasUnsent({ writableLength, writableEnded, writableFinished }: Duplex): boolean {
  return writableLength > 0 || (writableEnded && !writableFinished);
}

/** Ends a socket with a reset, but leaves to the kernel what was sent and ended: a reset would take it back. */
export function breakOff(socket: Duplex & { resetAndDestroy(): unknown }): void {
  if (socket.writableFinished) socket.destroy();
  else socket.resetAndDestroy();
}
