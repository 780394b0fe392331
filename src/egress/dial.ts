import { connect, type Socket } from "node:net";
import type { RefusalCode } from "../agent/guest-calls.ts";
import { errnoOf } from "../base/errors.ts";
import type { Op } from "../base/op.ts";
import { type Address, endpointText } from "./address.ts";

export interface Endpoint {
  readonly address: Address;
  readonly port: number;
}

export type Dialed =
  | { readonly connected: true; readonly socket: Socket; readonly endpoint: Endpoint }
  | { readonly connected: false; readonly code: RefusalCode; readonly reason: string };

/** Time one address has before the next is tried beside it (RFC 8305). */
const headStartMs = 250;
const connectMs = 20_000;
/** Addresses tried for one connection. */
export const dialsMax = 4;

/**
 * Connects to the first of these addresses that answers; the first one is what was asked for, and its
 * failure is the failure reported. A paused socket: nothing of it is lost before somebody reads.
 */
export async function dial(op: Op, endpoints: readonly Endpoint[]): Promise<Dialed> {
  const race = new DialRace(op, endpoints.slice(0, dialsMax));
  try {
    return await op.step("dial", (inner) => inner.race(race.run()), { timeoutMs: connectMs });
  } catch {
    op.check();
    const [first] = endpoints;
    const where = first === undefined ? "nowhere" : endpointText(first.address, first.port);
    return { connected: false, code: "timed_out", reason: `${where} did not answer` };
  } finally {
    race.stop();
  }
}

class DialRace {
  readonly #op: Op;
  readonly #endpoints: readonly Endpoint[];
  readonly #sockets = new Set<Socket>();
  #failure: Dialed | null = null;
  #connected = false;
  #next = 0;
  #cancelTimer: () => void = () => {};
  #resolve: (dialed: Dialed) => void = () => {};

  constructor(op: Op, endpoints: readonly Endpoint[]) {
    this.#op = op;
    this.#endpoints = endpoints;
  }

  run(): Promise<Dialed> {
    return new Promise((resolve) => {
      this.#resolve = resolve;
      this.#start();
    });
  }

  /** Ends every attempt but the one that was handed out. */
  stop(): void {
    this.#cancelTimer();
    this.#next = this.#endpoints.length;
    for (const socket of this.#sockets) socket.destroy();
    this.#sockets.clear();
  }

  #start(): void {
    this.#cancelTimer();
    const endpoint = this.#endpoints[this.#next];
    if (endpoint === undefined) return;
    this.#next += 1;
    const socket = connect({
      host: endpoint.address.text,
      port: endpoint.port,
      family: endpoint.address.family,
      allowHalfOpen: true,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: 60_000,
    });
    socket.pause();
    this.#sockets.add(socket);
    const onError = (error: Error) => this.#onFailed(socket, endpoint, error);
    socket.once("error", onError);
    socket.once("connect", () => {
      this.#sockets.delete(socket);
      // Whoever gets it listens; until then an error only ends it.
      socket.on("error", () => {});
      socket.removeListener("error", onError);
      // Two can connect in one turn of the event loop.
      if (this.#connected) return void socket.destroy();
      this.#connected = true;
      this.#resolve({ connected: true, socket, endpoint });
    });
    if (this.#next < this.#endpoints.length) {
      this.#cancelTimer = this.#op.clock.after(headStartMs, () => this.#start());
    }
  }

  #onFailed(socket: Socket, endpoint: Endpoint, error: Error): void {
    if (!this.#sockets.delete(socket)) return;
    this.#failure ??= failureOf(endpoint, error);
    if (this.#next < this.#endpoints.length) this.#start();
    else if (this.#sockets.size === 0) this.#resolve(this.#failure);
  }
}

function failureOf({ address, port }: Endpoint, error: Error): Dialed {
  const errno = errnoOf(error) ?? "unknown";
  const where = endpointText(address, port);
  switch (errno) {
    case "ECONNREFUSED":
      return { connected: false, code: "refused", reason: `${where} refused the connection` };
    case "ETIMEDOUT":
      return { connected: false, code: "timed_out", reason: `${where} did not answer` };
    case "EHOSTUNREACH":
    case "ENETUNREACH":
    case "EADDRNOTAVAIL":
      return { connected: false, code: "unreachable", reason: `${where} cannot be reached` };
    default:
      return { connected: false, code: "failed", reason: `${where} failed (${errno})` };
  }
}
