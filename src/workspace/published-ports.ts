import { isMicroagentError } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import type { Op } from "../base/op.ts";
import { startOp } from "../base/op.ts";
import { type Leaving, leavingBy } from "../egress/leaving.ts";
import { listenTcp, type TcpListener } from "../host/tcp-listener.ts";
import { type GuestPorts, JoinedSocket, type PausedSocket } from "./socket-bridge.ts";

/** A guest port and where it is to be reached on this host. */
export interface PortForward {
  /** IP address, or `localhost` for both loopback addresses. */
  readonly host: string;
  /** 0 takes a free one. */
  readonly hostPort: number;
  readonly guestPort: number;
}

/** Guest ports that listen on this host. */
export interface PublishedPorts {
  /** With the host ports that were taken. */
  readonly forwards: readonly PortForward[];
  /** From now on connections are taken to the guest; before, they were reset. */
  attach(guest: GuestPorts): void;
  /** How far what the guest sends has come. */
  leaving(): Leaving | null;
  /** Closes the ports and resets what is open. */
  close(): Promise<void>;
}

/**
 * Opens the host's side of published ports. All or none: `port_taken` or `invalid_argument` for one
 * that cannot be had.
 */
export async function publishPorts(
  op: Op,
  forwards: readonly PortForward[],
): Promise<PublishedPorts> {
  const ending = new AbortController();
  const { op: life, end } = startOp("published ports", { clock: op.clock, signal: ending.signal });
  const listeners: TcpListener[] = [];
  const open = new Map<JoinedSocket, Promise<void>>();
  let guest: GuestPorts | null = null;
  const take = (guestPort: number) => (socket: PausedSocket) => {
    if (guest === null || open.size >= limits.ports.connectionsMax) {
      socket.on("error", () => {});
      socket.resetAndDestroy();
      return;
    }
    const joined = new JoinedSocket(socket);
    const carried = joined.carry(life, guest, guestPort).finally(() => open.delete(joined));
    open.set(joined, carried);
  };
  const close = async () => {
    await Promise.all(listeners.map((listener) => listener.close()));
  };

  const opened: PortForward[] = [];
  try {
    for (const { host, hostPort, guestPort } of forwards) {
      const found = await listenOn(op, host, hostPort, take(guestPort));
      listeners.push(...found);
      opened.push({ host, hostPort: found[0].port, guestPort });
    }
  } catch (error) {
    end();
    await close();
    throw error;
  }
  return {
    forwards: opened,
    attach(ports) {
      guest = ports;
    },
    leaving: () => leavingBy(open.keys()),
    async close() {
      const closing = close();
      guest = null;
      ending.abort();
      await Promise.all([closing, ...open.values()]);
      end();
    },
  };
}

async function listenOn(
  op: Op,
  host: string,
  port: number,
  take: (socket: PausedSocket) => void,
): Promise<readonly [TcpListener, ...TcpListener[]]> {
  if (host !== "localhost") return [await listenTcp(op, { host, port }, take)];
  const four = await listenTcp(op, { host: "127.0.0.1", port }, take);
  try {
    return [four, await listenTcp(op, { host: "::1", port: four.port }, take)];
  } catch (error) {
    // A host without IPv6 has one loopback address; a port that was picked may be taken on the other.
    const code = isMicroagentError(error) ? error.code : null;
    if (code === "invalid_argument" || (port === 0 && code === "port_taken")) return [four];
    await four.close();
    throw error;
  }
}
