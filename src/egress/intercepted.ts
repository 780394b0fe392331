import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { ByteStream } from "../agent/guest-calls.ts";
import { MicroagentError } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import { dial, type Endpoint } from "./dial.ts";
import type { Admission, FlowContext, Running } from "./flow.ts";
import { hasUnsent } from "./leaving.ts";
import { type Pace, StreamDuplex } from "./stream-duplex.ts";

export interface HandedOver {
  readonly name: string;
  /** The guest's bytes from the first one. */
  readonly stream: ByteStream;
  /** Connected, and not read from. */
  readonly socket: Socket;
  readonly endpoints: readonly Endpoint[];
}

/** Has the interceptor serve a connection, counts it like any other, and sees that both sides end. */
export async function handOver(
  context: FlowContext,
  admission: Admission,
  flow: HandedOver,
): Promise<void> {
  const { gate, op } = context;
  const { interceptor, traffic } = gate;
  if (interceptor === null) throw new MicroagentError("internal", "Nothing intercepts here");
  const bytes = { sent: 0, received: 0 };
  let lastActiveAt = op.clock.monotonic();
  let capped = false;
  const onBytes = (direction: "sent" | "received", count: number) => {
    bytes[direction] += count;
    lastActiveAt = op.clock.monotonic();
    capped ||= !traffic.count(count);
    return !capped;
  };
  const pace: Pace | null = traffic.limited ? (inner, count) => traffic.pace(inner, count) : null;
  const client = new StreamDuplex(op, flow.stream, onBytes, pace);
  client.on("error", () => {});
  const sockets = new Set<Socket>([flow.socket]);
  let first: Socket | null = flow.socket;
  const dialAgain = async (): Promise<Duplex> => {
    const ready = first;
    first = null;
    if (ready !== null && !ready.destroyed) return ready;
    const dialed = await dial(op, flow.endpoints);
    if (!dialed.connected) {
      admission.report("egress_dial_error", { host: flow.name, reason: dialed.reason });
      throw new MicroagentError("channel_closed", `Host "${flow.name}": ${dialed.reason}`);
    }
    sockets.add(dialed.socket);
    dialed.socket.once("close", () => sockets.delete(dialed.socket));
    return dialed.socket;
  };
  const running: Running = {
    get lastActiveAt() {
      return lastActiveAt;
    },
    idleMs: limits.egress.tcpIdleMs,
    get sent() {
      return bytes.sent;
    },
    get pending() {
      return [...sockets].some(hasUnsent);
    },
    end: () => client.destroy(),
  };
  context.running.add(running);
  let how = "closed";
  try {
    await op.step("intercept", (inner) =>
      interceptor.intercept(inner, {
        name: flow.name,
        port: admission.to.port,
        client,
        dial: dialAgain,
        // The interceptor knows names only.
        audit: ({ event, dst: _, ...details }) => admission.report(event, details),
      }),
    );
  } catch {
    how = "reset";
  } finally {
    context.running.delete(running);
    if (!client.destroyed) client.destroy();
    for (const socket of sockets) socket.destroy();
    const counts = { bytes_sent: bytes.sent, bytes_received: bytes.received };
    if (capped) {
      const reason = "the traffic of this guest is used up";
      admission.report("egress_cap_exceeded", { host: flow.name, reason, ...counts });
    }
    admission.report("egress_close", { host: flow.name, reason: how, ...counts });
  }
}
