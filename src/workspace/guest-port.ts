import type { Duplex } from "node:stream";
import type { Op } from "../base/op.ts";
import { startOp } from "../base/op.ts";
import { StreamDuplex } from "../egress/stream-duplex.ts";
import type { ReachableGuest } from "./reachable-guest.ts";

/**
 * A connection to a TCP port of the guest over the agent's channel: no port of the host is used, and the guest
 * needs no network. `guest_refused` when nothing listens. It lives until it is ended or destroyed.
 */
export async function openGuestPort(
  op: Op,
  workspace: ReachableGuest,
  port: number,
): Promise<Duplex> {
  const stream = await workspace.explaining(
    `connecting to port ${port}`,
    workspace.agent.connectPort(op, port),
  );
  const { op: life, end } = startOp(`port ${port}`, { clock: op.clock });
  const duplex = new StreamDuplex(life, stream, () => true);
  duplex.once("close", end);
  return duplex;
}
