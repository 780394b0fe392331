import { chmod, open, rm } from "node:fs/promises";
import { connect, createServer, type Server, type Socket } from "node:net";
import { basename, dirname } from "node:path";
import type { Op } from "../base/op.ts";
import { connected } from "./connected.ts";
import { hostEnvironment } from "./environment.ts";

/** What fits into a socket's address, its closing zero byte included; the smallest of all systems. */
const addressBytesMax = 104;

/** A socket that other programs of this user can connect to. */
export interface UnixListener {
  /** Takes no more connections and removes the socket; connections that were handed out live on. */
  close(): Promise<void>;
}

/** Listens at a path, replacing what was there. Only this user may connect. */
export async function listenUnix(
  op: Op,
  path: string,
  onConnection: (socket: Socket) => void,
): Promise<UnixListener> {
  op.check();
  await rm(path, { force: true });
  const server = createServer({ pauseOnConnect: true, allowHalfOpen: true });
  const address = await shortAddress(path);
  try {
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen({ path: address.path }, resolve);
    });
    await chmod(path, 0o600);
  } catch (error) {
    server.close();
    await address.release();
    throw error;
  }
  server.on("connection", onConnection);
  // Running out of descriptors is over when some are free again.
  server.on("error", () => {});
  return {
    async close() {
      await closed(server);
      await rm(path, { force: true });
      await address.release();
    },
  };
}

/** Connects to a socket. Rejects with the system's error; closed when the op ends first. */
export async function dialUnix(op: Op, path: string): Promise<Socket> {
  op.check();
  const address = await shortAddress(path);
  try {
    return await connected(op, connect({ path: address.path }));
  } finally {
    await address.release();
  }
}

interface ShortAddress {
  readonly path: string;
  release(): Promise<void>;
}

/** A path that is too long for an address is reached through its directory, which is open meanwhile. */
async function shortAddress(path: string): Promise<ShortAddress> {
  if (Buffer.byteLength(path) < addressBytesMax || hostEnvironment.platform !== "linux") {
    return { path, release: async () => {} };
  }
  const directory = await open(dirname(path), "r");
  return {
    path: `/proc/self/fd/${directory.fd}/${basename(path)}`,
    release: () => directory.close(),
  };
}

/** Resolves without waiting for the connections. */
function closed(server: Server): Promise<void> {
  server.close();
  return Promise.resolve();
}
