import { once } from "node:events";
import { createServer, type IncomingMessage, type RequestListener } from "node:http";
import { createSecureServer, type ServerHttp2Stream } from "node:http2";
import {
  type AddressInfo,
  connect as connectTcp,
  createServer as createTcpServer,
  type Server,
  type Socket,
} from "node:net";
import { createServer as createTlsServer, type SecureContext } from "node:tls";
import { realClock, startOp } from "../../../../src/base/op.ts";
import type { AuditEvent } from "../../../../src/egress/audit-event.ts";
import {
  createInterceptor,
  type SwapInterceptor,
} from "../../../../src/egress/swap/create-interceptor.ts";
import type { SwapRule } from "../../../../src/egress/swap/rule.ts";
import { WorkspaceAuthority } from "../../../../src/egress/tls/authority.ts";

export const realKey = "sk-real-0123456789abcdefghij";
export const host = "api.example.test";

export const exampleRule: SwapRule = {
  name: "example",
  type: "static",
  domains: [host],
  header: "Authorization",
  format: "Bearer {key}",
  keyRef: "env:EXAMPLE_KEY",
};

/** The world beyond the guest: certificates it trusts, and servers that have them. */
export const world = new WorkspaceAuthority(["example.test", "localhost"], realClock);

export interface Gate {
  /** Where a guest's TLS connection ends up. */
  readonly port: number;
  readonly interceptor: SwapInterceptor;
  readonly events: AuditEvent[];
  /** How often the upstream has been dialled. */
  readonly dials: { count: number };
  close(): Promise<void>;
}

export interface GateOptions {
  readonly upstreamPort: number;
  readonly rules?: readonly SwapRule[];
  readonly resolveSecret?: (reference: string) => Promise<Uint8Array>;
  readonly name?: string;
}

/** A gate that hands every connection to an interceptor, as the policy would for a swap host. */
export async function openGate(options: GateOptions): Promise<Gate> {
  const { op, end } = startOp("test");
  const interceptor = await createInterceptor(op, {
    swaps: options.rules ?? [exampleRule],
    resolveSecret: options.resolveSecret ?? (async () => Buffer.from(`${realKey}\n`)),
    extraRootsPem: [world.certificatePem],
  });
  const events: AuditEvent[] = [];
  const dials = { count: 0 };
  const flows = new Set<Promise<void>>();
  const sockets = new Set<Socket>();
  const server = createTcpServer((client) => {
    sockets.add(client);
    client.on("error", () => {});
    const dial = async () => {
      dials.count += 1;
      const socket = connectTcp(options.upstreamPort, "127.0.0.1");
      await once(socket, "connect");
      return socket;
    };
    const flow = {
      name: options.name ?? host,
      port: 443,
      client,
      dial,
      audit: (event: AuditEvent) => void events.push(event),
    };
    const done = interceptor.intercept(op, flow).catch(() => {});
    flows.add(done);
  });
  return {
    port: await listen(server),
    interceptor,
    events,
    dials,
    async close() {
      for (const socket of sockets) socket.destroy();
      await Promise.all(flows);
      server.close();
      end();
    },
  };
}

export interface Upstream {
  readonly port: number;
  close(): void;
}

/** An HTTP/1.1 server with a certificate of the world. */
export async function upstreamH1(
  handler: RequestListener,
  context: SecureContext = world.contextFor(host),
  onUpgrade?: (message: IncomingMessage, socket: Socket, head: Buffer) => void,
): Promise<Upstream> {
  const http = createServer(handler);
  http.on("checkContinue", handler);
  if (onUpgrade !== undefined) http.on("upgrade", onUpgrade as never);
  const sockets = new Set<Socket>();
  const server = createTlsServer(
    { ALPNProtocols: ["http/1.1"], SNICallback: (_, done) => done(null, context) },
    (socket) => {
      sockets.add(socket);
      http.emit("connection", socket);
    },
  );
  server.on("tlsClientError", () => {});
  const port = await listen(server);
  return { port, close: () => closeAll(server, sockets) };
}

/** An HTTP/2 server with a certificate of the world. */
export async function upstreamH2(
  onStream: (
    stream: ServerHttp2Stream,
    headers: Record<string, string | string[] | undefined>,
  ) => void,
): Promise<Upstream> {
  const context = world.contextFor(host);
  const server = createSecureServer({ SNICallback: (_, done) => done(null, context) });
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => sockets.add(socket));
  server.on("stream", (stream, headers) => {
    stream.on("error", () => {});
    onStream(stream, headers);
  });
  server.on("sessionError", () => {});
  const port = await listen(server as unknown as Server);
  return { port, close: () => closeAll(server as unknown as Server, sockets) };
}

function closeAll(server: Server, sockets: ReadonlySet<Socket>): void {
  for (const socket of sockets) socket.destroy();
  server.close();
}

async function listen(server: Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}
