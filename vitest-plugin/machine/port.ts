import { request as httpRequest, type IncomingMessage } from "node:http";
import { type Duplex, Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { MicroagentError, openGuestPort, publishPorts, type Workspace } from "../../src/index.ts";
import type { CallBound, Life } from "./life.ts";

export type FetchOptions = RequestInit & { readonly timeout?: number | undefined };

/** A TCP port of a machine, reached over its control channel: no port of the host is used. */
export interface MachinePort {
  readonly number: number;
  /**
   * The address as a text, for messages and for this port's `fetch`. The name resolves nowhere else: other
   * clients take `connect`, or an exposed port.
   */
  url(path?: string): string;
  /** One HTTP/1.1 request. Redirections are answers, not followed. */
  fetch(path?: string, options?: FetchOptions): Promise<Response>;
  /** Listens on a free loopback port of this host as long as the machine lives, for clients that take only those. */
  expose(): Promise<ExposedPort>;
  /** A byte stream; whoever gets it ends it. `guest_refused` when nothing listens. */
  connect(bound?: CallBound): Promise<Duplex>;
}

export interface ExposedPort {
  readonly host: string;
  readonly port: number;
}

export interface PortParts {
  readonly hostname: string;
  readonly life: Life;
  workspace(): Workspace;
  /** What has to be closed with the machine. */
  closing(close: () => Promise<void>): void;
}

export function portOf(parts: PortParts, number: number): MachinePort {
  const { hostname, life } = parts;
  if (!Number.isInteger(number) || number < 1 || number > 65_535) {
    throw new MicroagentError("invalid_argument", `Port is "${number}", wanted 1 to 65535`);
  }
  const connect = (bound: CallBound = {}) =>
    life.during("connect", bound, life.timeouts.wait, (op) =>
      openGuestPort(op, parts.workspace(), number),
    );
  const url = (path = "/") => new URL(path, `http://${hostname.toLowerCase()}:${number}/`).href;
  return {
    number,
    url,
    connect,
    expose: async () => {
      const wanted = [{ host: "127.0.0.1", hostPort: 0, guestPort: number }];
      const published = await life.during("expose", {}, life.timeouts.exec, (op) =>
        publishPorts(op, wanted),
      );
      // Looked up at each connection: a machine that was restored is another one.
      published.attach({
        connectPort: (op, port) => parts.workspace().agent.connectPort(op, port),
      });
      parts.closing(() => published.close());
      return { host: "127.0.0.1", port: published.forwards[0]?.hostPort ?? 0 };
    },
    fetch: async (path = "/", options = {}) => {
      const { timeout, ...init } = options;
      const signal = AbortSignal.timeout(life.bound(timeout ?? life.timeouts.exec));
      const signals = init.signal == null ? [signal] : [signal, init.signal];
      const request = new Request(url(path), { ...init, signal: AbortSignal.any(signals) });
      return await exchange(request, await connect({ signal: request.signal }));
    },
  };
}

async function exchange(request: Request, socket: Duplex): Promise<Response> {
  const target = new URL(request.url);
  const outgoing = httpRequest({
    method: request.method,
    host: target.hostname,
    port: target.port,
    path: `${target.pathname}${target.search}`,
    headers: { ...Object.fromEntries(request.headers), connection: "close" },
    signal: request.signal,
    // Only without an agent is the connection ours.
    createConnection: () => socket,
  });
  const answered = new Promise<IncomingMessage>((resolve, reject) => {
    outgoing.once("response", resolve);
    outgoing.once("error", reject);
  });
  answered.catch(() => {});
  if (request.body === null) outgoing.end();
  else {
    const body = Readable.fromWeb(request.body as Parameters<typeof Readable.fromWeb>[0]);
    pipeline(body, outgoing).catch(() => {});
  }
  try {
    return responseOf(await answered);
  } catch (error) {
    socket.destroy();
    const { hostname, port } = target;
    throw new MicroagentError(
      "guest_refused",
      `No HTTP answer from port ${port} of machine "${hostname}": ${reasonOf(error)}`,
      { cause: error },
    );
  }
}

function responseOf(incoming: IncomingMessage): Response {
  const status = incoming.statusCode ?? 0;
  const headers = new Headers();
  for (let at = 0; at + 1 < incoming.rawHeaders.length; at += 2) {
    headers.append(incoming.rawHeaders[at] ?? "", incoming.rawHeaders[at + 1] ?? "");
  }
  const empty = status === 204 || status === 205 || status === 304;
  if (empty) incoming.resume();
  const body = empty ? null : (Readable.toWeb(incoming) as ReadableStream<Uint8Array>);
  return new Response(body, { status, statusText: incoming.statusMessage ?? "", headers });
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
