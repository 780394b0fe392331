import { connect, type Socket } from "node:net";
import type { Op } from "../base/op.ts";
import { connected } from "./connected.ts";

/**
 * Connects to a host and port, IPv6 and IPv4 side by side where a name has both. The socket is paused and keeps its halves
 * apart. Rejects with the system's error; closed when the op ends first.
 */
export async function dialTcp(
  op: Op,
  to: { readonly host: string; readonly port: number },
): Promise<Socket> {
  op.check();
  return await connected(
    op,
    connect({ ...to, allowHalfOpen: true, noDelay: true, autoSelectFamily: true }),
  );
}
