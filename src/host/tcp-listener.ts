import { createServer, type Server, type Socket } from "node:net";
import { errnoOf, MicroagentError } from "../base/errors.ts";
import type { Op } from "../base/op.ts";
import { portOwner } from "./port-owner.ts";

/** An open TCP port of this host. */
export interface TcpListener {
  readonly host: string;
  readonly port: number;
  /** Takes no more connections; those that were handed out live on. */
  close(): Promise<void>;
}

/**
 * Listens on an address; port 0 takes a free one. Each connection is handed out paused, with half-close.
 * `port_taken` names the process that has the port where it can be known.
 */
export async function listenTcp(
  op: Op,
  at: { readonly host: string; readonly port: number },
  onConnection: (socket: Socket) => void,
): Promise<TcpListener> {
  op.check();
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true });
  try {
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen({ host: at.host, port: at.port, exclusive: true }, resolve);
    });
  } catch (error) {
    throw await listenError(at.host, at.port, error);
  }
  server.on("connection", onConnection);
  // Running out of descriptors is over when some are free again.
  server.on("error", () => {});
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : at.port;
  return { host: at.host, port, close: () => closed(server) };
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()));
}

async function listenError(host: string, port: number, error: unknown): Promise<unknown> {
  const errno = errnoOf(error);
  const place = host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
  switch (errno) {
    case "EADDRINUSE": {
      const owner = await portOwner(port);
      const who = owner === null ? "another process" : `"${owner.name}" (process ${owner.pid})`;
      return new MicroagentError("port_taken", `Host port ${place} is taken by ${who}`, {
        cause: error,
        hint: "Publish another host port, or 0 for one that is free",
        details: { host, port, ownerPid: owner?.pid ?? null, ownerName: owner?.name ?? null },
      });
    }
    case "EACCES":
      return new MicroagentError(
        "invalid_argument",
        `Host port ${place} may not be opened by this user: wanted one from 1024`,
        { cause: error, hint: "Publish another host port" },
      );
    case "EADDRNOTAVAIL":
    case "EAFNOSUPPORT":
      return new MicroagentError(
        "invalid_argument",
        `Host address "${host}" is none of this host: wanted one that it has`,
        { cause: error, hint: "Publish on 127.0.0.1, the default", details: { errno } },
      );
    default:
      return error;
  }
}
