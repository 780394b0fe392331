import type { GuestCallStream } from "../agent/guest-calls.ts";
import type { Op } from "../base/op.ts";
import { type Address, endpointText } from "./address.ts";
import type { AuditEvent, AuditEventName } from "./audit-event.ts";
import { type Destination, decideFlow, type Verdict } from "./decision.ts";
import type { Endpoint } from "./dial.ts";
import type { Gate } from "./gate.ts";
import type { Carrier } from "./leaving.ts";

/** A flow that runs: it ends when it was silent for too long, or with the gate. */
export interface Running extends Carrier {
  readonly lastActiveAt: number;
  readonly idleMs: number;
  end(how: "idle" | "reset"): void;
}

/** What a flow needs of whoever serves it. */
export interface FlowContext {
  readonly gate: Gate;
  readonly op: Op;
  readonly running: Set<Running>;
}

/** The names of one protocol's events. */
export interface FlowEvents {
  readonly allow: AuditEventName;
  readonly deny: AuditEventName;
  readonly internalDeny: AuditEventName;
  readonly close: AuditEventName;
}

export type Allowed = Extract<Verdict, { allowed: true }>;

/** A flow that the gate let in: it holds a place among the flows until `leave`. */
export interface Admission {
  readonly to: Destination;
  readonly verdict: Allowed;
  /** The latest name of the address, "" without one. */
  readonly bestName: string;
  /** Writes a line about this flow. */
  report(event: AuditEvent["event"], details: Partial<AuditEvent>): void;
  leave(): void;
}

/** Decides on a flow by its destination, and says no to the guest where that is the answer (null). */
export function admit(
  gate: Gate,
  address: Address,
  port: number,
  events: FlowEvents,
  stream: GuestCallStream,
): Admission | null {
  const to = gate.destination(address, port);
  const verdict = decideFlow(gate.mode, gate.lists, to);
  const bestName = to.names.at(-1) ?? "";
  const flow = gate.nextFlow();
  const report = (event: AuditEventName, details: Partial<AuditEvent>) => {
    gate.report({
      event,
      host: bestName,
      dst: endpointText(address, port),
      reason: "",
      unlisted: verdict.unlisted,
      internal: verdict.internal,
      operation_id: flow,
      ...details,
    });
  };
  if (!verdict.allowed) {
    const { reason, signal, loop, internal, allowWith } = verdict;
    const event = loop ? "egress_loop_guard" : internal ? events.internalDeny : events.deny;
    report(event, { reason, signal, allow_with: allowWith });
    stream.refuse("denied", reason);
    return null;
  }
  const full = gate.traffic.spent
    ? "the traffic of this guest is used up"
    : gate.traffic.enter()
      ? null
      : `${gate.traffic.flows} flows are open already`;
  if (full !== null) {
    report("egress_cap_exceeded", { reason: full });
    stream.refuse("limit", full);
    return null;
  }
  return { to, verdict, bestName, report, leave: () => gate.traffic.leave() };
}

/** Where to dial for a destination: the address itself, then others that its one name was given. */
export function endpointsOf(gate: Gate, to: Destination, verdict: Allowed): Endpoint[] {
  const standIn = gate.standIns.byAddress(to.address.text);
  if (standIn !== undefined) return [{ address: standIn.target, port: standIn.port ?? to.port }];
  const first = { address: to.address, port: to.port };
  const [name] = to.names;
  if (name === undefined || to.names.length > 1) return [first];
  const others = gate
    .addressesOf(name)
    .filter((address) => address.text !== to.address.text)
    .filter((address) => {
      const destination = gate.destination(address, to.port);
      // For another name it is the address of somebody's machine, and not what is mapped.
      if (destination.standIn) return false;
      const other = decideFlow(gate.mode, gate.lists, destination);
      return other.allowed && other.internal === verdict.internal;
    })
    // The other family first: when an address is silent, its family is the likely reason.
    .sort(
      (a, b) => Number(a.family === to.address.family) - Number(b.family === to.address.family),
    );
  return [first, ...others.map((address) => ({ address, port: to.port }))];
}
