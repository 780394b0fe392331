import type { Socket } from "node:net";
import type { ByteStream, GuestCallStream, TcpCall } from "../agent/guest-calls.ts";
import { limits } from "../base/limits.ts";
import { parseAddress } from "./address.ts";
import { unwrapped } from "./address-class.ts";
import { type Agreement, type Claim, checkFirstBytes } from "./agreement.ts";
import { ConnectionGate } from "./connection-gate.ts";
import { dial, type Endpoint } from "./dial.ts";
import type { FirstBytes } from "./first-bytes.ts";
import { type Admission, admit, endpointsOf, type FlowContext, type FlowEvents } from "./flow.ts";
import { handOver } from "./intercepted.ts";
import { peek } from "./peek.ts";
import { type Inspection, Relay, type RelayEnd } from "./relay.ts";

const events: FlowEvents = {
  allow: "egress_allow",
  deny: "egress_deny",
  internalDeny: "egress_internal_deny",
  close: "egress_close",
};

/** Serves one connection of the guest, from the decision on its address to its end. */
export async function serveTcp(
  context: FlowContext,
  call: TcpCall,
  stream: GuestCallStream,
): Promise<void> {
  const { gate, op } = context;
  const address = parseAddress(call.dst);
  if (address === null) return stream.refuse("failed", "The destination is no address");
  const admission = admit(gate, unwrapped(address), call.port, events, stream);
  if (admission === null) return;
  try {
    const endpoints = endpointsOf(gate, admission.to, admission.verdict);
    const dialed = await dial(op, endpoints);
    if (!dialed.connected) {
      admission.report("egress_dial_error", { reason: dialed.reason });
      return stream.refuse(dialed.code, dialed.reason);
    }
    const connection = { context, admission, endpoints, socket: dialed.socket };
    await new TcpFlow(connection, stream.accept()).run();
  } finally {
    admission.leave();
  }
}

interface Connection {
  readonly context: FlowContext;
  readonly admission: Admission;
  readonly endpoints: readonly Endpoint[];
  readonly socket: Socket;
}

/** Hosts of one connection that are reported one by one. */
const hostsMax = 1_000;

class TcpFlow {
  readonly #connection: Connection;
  readonly #stream: ByteStream;
  readonly #relay: Relay;
  readonly #claim: Claim;
  /** Hosts that a line of the audit has for this connection. */
  readonly #announced = new Set<string>();
  /** One of those lines says what stands out. */
  #noted = false;
  #ending = false;

  constructor(connection: Connection, stream: ByteStream) {
    const { context, admission, socket } = connection;
    const { gate, op } = context;
    this.#connection = connection;
    this.#stream = stream;
    this.#relay = new Relay(op, stream, socket, gate.traffic);
    const { to, verdict, bestName } = admission;
    this.#claim = {
      address: to.address,
      port: to.port,
      mustName: verdict.mustName,
      anyProtocol: verdict.anyProtocol,
      bestName,
      strict: gate.mode === "strict",
      own: gate.ownAddresses,
      gave: (name) => gate.gave(name, to.address),
    };
  }

  get idleMs(): number {
    const { tcpIdleMs, halfClosedIdleMs } = limits.egress;
    return this.#relay.halfClosed ? halfClosedIdleMs : tcpIdleMs;
  }

  get lastActiveAt(): number {
    return this.#relay.lastActiveAt;
  }

  get sent(): number {
    return this.#relay.sent;
  }

  get pending(): boolean {
    return this.#relay.pending;
  }

  end(how: RelayEnd): void {
    this.#relay.end(how);
  }

  async run(): Promise<void> {
    const { context } = this.#connection;
    context.running.add(this);
    let handedOver = false;
    // Whoever serves a guest that lets the server speak first waits for no byte of the guest.
    const late = context.op.clock.after(limits.egress.firstBytesMs, () => this.#announce(null));
    try {
      handedOver = context.gate.mode === "off" ? await this.#passAll() : await this.#judge();
      if (!handedOver) this.#close(await this.#relay.ended);
    } catch {
      this.#relay.end("reset");
      this.#close("reset");
    } finally {
      late();
      context.running.delete(this);
    }
  }

  /** True when the connection was handed over and is over. */
  async #judge(): Promise<boolean> {
    const { context, admission } = this.#connection;
    const { gate, op } = context;
    const { names, port } = admission.to;
    // The other end of an intercepted connection speaks TLS with us, not with the guest.
    const mayIntercept = names.some((name) => gate.interceptor?.covers(name, port) === true);
    if (!mayIntercept) this.#relay.startDown();
    const { mustName, anyProtocol } = this.#claim;
    const patience = { demanded: mustName !== null, anyProtocol };
    const { first, bytes } = await peek(op, this.#stream, patience);
    const agreement = first === null ? null : checkFirstBytes(first, this.#claim, gate.lists);
    const swapName = first === null ? null : this.#swapName(first);
    if (swapName !== null && !this.#claim.gave(swapName)) {
      const reason = `TLS asks for "${swapName}" at an address our resolver did not give for it`;
      const signal = "name-destination-mismatch";
      return this.#deny({ agreed: false, host: swapName, reason, signal, allowWith: "" });
    }
    if (agreement?.agreed === false) return this.#deny(agreement);
    this.#announce(agreement);
    this.#stream.unread(bytes);
    if (swapName !== null) {
      this.#relay.release();
      const { socket, endpoints } = this.#connection;
      await handOver(context, admission, {
        name: swapName,
        stream: this.#stream,
        socket,
        endpoints,
      });
      return true;
    }
    if (mayIntercept) this.#relay.startDown();
    await this.#relay.up(mustName === null ? null : this.#inspection(first));
    return false;
  }

  /** The name whose credentials are swapped on this connection, null for every other connection. */
  #swapName(first: FirstBytes): string | null {
    const { gate } = this.#connection.context;
    if (first.kind !== "tls" || first.serverName === null || gate.interceptor === null) return null;
    const { serverName: name } = first;
    const { port } = this.#claim;
    const covered = gate.interceptor.covers(name, port) && !gate.lists.passthrough(name, port);
    return covered ? name : null;
  }

  async #passAll(): Promise<false> {
    this.#announce(null);
    this.#relay.startDown();
    await this.#relay.up();
    return false;
  }

  /** Judges every byte of a connection of which names are demanded. */
  #inspection(first: FirstBytes | null): Inspection {
    const gate = new ConnectionGate({
      claim: this.#claim,
      lists: this.#connection.context.gate.lists,
      decisions: {
        allowed: (agreement) => this.#announce(agreement),
        denied: (agreement) => this.#deny(agreement),
      },
      serverSpoke: this.#relay.received > 0,
      overdue: first?.kind === "incomplete",
    });
    return {
      take: (piece) => gate.take(piece),
      answer: (piece) => gate.answer(piece),
      atEnd: () => {
        if (gate.holding) this.#deny(unfinished(this.#claim));
        return !gate.holding;
      },
    };
  }

  #deny(agreement: Agreement): false {
    if (!this.#ending) {
      this.#ending = true;
      const { host, reason, signal, allowWith: allow_with } = agreement;
      const { verdict, report } = this.#connection.admission;
      const event = verdict.internal ? events.internalDeny : events.deny;
      report(event, { host, reason, signal, allow_with });
    }
    this.#relay.end("denied");
    return false;
  }

  #announce(agreement: Agreement | null): void {
    const host = agreement?.host ?? this.#claim.bestName;
    // A line that was written early, without a name, is followed by one that says what stands out; a proxy is asked for many hosts.
    const isNew = this.#announced.size === 0 || (agreement !== null && !this.#announced.has(host));
    if (this.#ending || !(isNew || (agreement?.signal !== undefined && !this.#noted))) return;
    this.#noted ||= agreement?.signal !== undefined;
    if (this.#announced.size < hostsMax) this.#announced.add(host);
    const { verdict, report } = this.#connection.admission;
    const said = agreement?.reason ?? "";
    const reason = said === "" ? verdict.reason : `${verdict.reason}; ${said}`;
    report(events.allow, { host, reason, signal: agreement?.signal });
  }

  #close(how: RelayEnd): void {
    const { sent, received } = this.#relay;
    const { report } = this.#connection.admission;
    if (how !== "denied") this.#announce(null);
    const bytes = { bytes_sent: sent, bytes_received: received };
    if (how === "capped") {
      report("egress_cap_exceeded", { reason: "the traffic of this guest is used up", ...bytes });
    }
    report(events.close, { reason: how, ...bytes });
  }
}

function unfinished({ bestName: host }: Claim): Agreement {
  const reason = "the connection ended before it had said what it is";
  return { agreed: false, host, reason, signal: "unmediatable-protocol", allowWith: "" };
}
