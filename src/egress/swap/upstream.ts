import type { Duplex } from "node:stream";
import { connect, type SecureContext, type TLSSocket } from "node:tls";
import { isMicroagentError, MicroagentError } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import type { Op } from "../../base/op.ts";
import type { OnInformational, UpstreamExchange, UpstreamRequest } from "./exchange.ts";
import { UpstreamH1 } from "./upstream-h1.ts";
import { UpstreamH2 } from "./upstream-h2.ts";

export interface UpstreamTarget {
  /** The name the certificate must be for. */
  readonly name: string;
  readonly authority: string;
  readonly dial: () => Promise<Duplex>;
  /** What the connection trusts and shows of itself; asked for each one. */
  readonly context: (op: Op) => Promise<SecureContext>;
  /** What the guest speaks is preferred. */
  readonly prefer: "h1" | "h2";
  /** Called with the reason of each connection that failed. */
  readonly onFailure: (reason: string) => void;
}

/**
 * The real server behind one guest connection, over TLS that is verified for the name the guest asked
 * for. Connections are made when they are needed and end with `close`.
 */
export class Upstream {
  readonly #op: Op;
  readonly #target: UpstreamTarget;
  readonly #h1: UpstreamH1;
  readonly #open = new Set<Duplex>();
  #h2: UpstreamH2 | null = null;
  #onlyH1 = false;
  #first: Promise<UpstreamH2 | null> | null = null;
  /** The connection that told what the server speaks. */
  #spare: TLSSocket | null = null;
  #closed = false;

  constructor(op: Op, target: UpstreamTarget) {
    this.#op = op;
    this.#target = target;
    this.#h1 = new UpstreamH1(() => this.#connectH1());
  }

  async request(
    request: UpstreamRequest,
    onInformational: OnInformational,
  ): Promise<UpstreamExchange> {
    const h2 = await this.#session();
    return (h2 ?? this.#h1).open(request, onInformational);
  }

  /** For requests that leave HTTP: the HTTP/1.1 side, or null when the server has none. */
  async http1(): Promise<UpstreamH1 | null> {
    return (await this.#session()) === null ? this.#h1 : null;
  }

  close(): void {
    this.#closed = true;
    this.#h1.close();
    this.#h2?.close();
    for (const socket of this.#open) socket.destroy();
  }

  /** The HTTP/2 session, or null when the server speaks HTTP/1.1. */
  async #session(): Promise<UpstreamH2 | null> {
    if (this.#onlyH1) return null;
    if (this.#h2?.usable === true) return this.#h2;
    this.#first ??= this.#negotiate().finally(() => {
      this.#first = null;
    });
    return await this.#first;
  }

  async #negotiate(): Promise<UpstreamH2 | null> {
    const socket = await this.#connectPreferred();
    if (socket.alpnProtocol === "h2") {
      this.#h2 = new UpstreamH2(this.#target.authority, socket);
      return this.#h2;
    }
    this.#onlyH1 = true;
    this.#spare = socket;
    return null;
  }

  async #connectPreferred(): Promise<TLSSocket> {
    if (this.#target.prefer === "h2") return await this.#connect(["h2", "http/1.1"]);
    try {
      return await this.#connect(["http/1.1"], false);
    } catch (error) {
      // A server of HTTP/2 alone says so in the handshake.
      if (codeOf(error) !== "ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL") throw this.#told(error);
      return await this.#connect(["h2"]);
    }
  }

  async #connectH1(): Promise<TLSSocket> {
    const spare = this.#spare;
    this.#spare = null;
    if (spare !== null && !spare.destroyed) return spare;
    return await this.#connect(["http/1.1"]);
  }

  #connect(protocols: string[], tell = true): Promise<TLSSocket> {
    const work = this.#op.step("upstream", (op) => this.#handshake(op, protocols), {
      timeoutMs: limits.swap.upstreamConnectMs,
    });
    return tell ? work.catch((error) => Promise.reject(this.#told(error))) : work;
  }

  async #handshake(op: Op, protocols: string[]): Promise<TLSSocket> {
    const secureContext = await this.#target.context(op);
    const raw = await op.race(this.#target.dial());
    if (this.#closed || op.signal.aborted) {
      raw.destroy();
      op.check();
    }
    this.#own(raw);
    const { name } = this.#target;
    const socket = connect({
      socket: raw,
      servername: name,
      secureContext,
      ALPNProtocols: protocols,
      rejectUnauthorized: true,
    });
    this.#own(socket);
    try {
      await op.race(
        new Promise<void>((resolve, reject) => {
          socket.once("secureConnect", resolve);
          socket.once("error", reject);
          socket.once("close", () =>
            reject(new MicroagentError("channel_closed", `"${name}" closed the connection`)),
          );
        }),
      );
    } catch (error) {
      socket.destroy();
      raw.destroy();
      throw error;
    }
    return socket;
  }

  #own(socket: Duplex): void {
    this.#open.add(socket);
    // Whoever uses it hears of its end as well.
    socket.on("error", () => {});
    socket.once("close", () => this.#open.delete(socket));
  }

  #told(error: unknown): MicroagentError {
    if (isMicroagentError(error) && error.details.audited === true) return error;
    const reason = isMicroagentError(error) ? error.code : (codeOf(error) ?? "unknown reason");
    this.#target.onFailure(reason);
    return new MicroagentError(
      "channel_closed",
      `"${this.#target.name}" cannot be reached over verified TLS (${reason})`,
      { details: { audited: true } },
    );
  }
}

function codeOf(error: unknown): string | undefined {
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
  return typeof code === "string" ? code : undefined;
}
