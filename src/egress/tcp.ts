import type { Socket } from "node:net";
import type { ByteStream, GuestCallStream, TcpCall } from "../agent/guest-calls.ts";
import { limits } from "../base/limits.ts";
import { parseAddress } from "./address.ts";
import { unwrapped } from "./address-class.ts";
import { type Agreement, type Claim, checkFirstBytes, checkRequest } from "./agreement.ts";
import { dial, type Endpoint } from "./dial.ts";
import type { FirstBytes } from "./first-bytes.ts";
import { type Admission, admit, endpointsOf, type FlowContext, type FlowEvents } from "./flow.ts";
import { HttpGate } from "./http-gate.ts";
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

class TcpFlow {
  readonly #connection: Connection;
  readonly #stream: ByteStream;
  readonly #relay: Relay;
  readonly #claim: Claim;
  #announced = false;
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
      handedOver = context.gate.mode === "off" ? await this.#splice(null) : await this.#judge();
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
    const { first, bytes } = await peek(op, this.#stream, this.#claim.mustName !== null);
    const agreement = first === null ? null : checkFirstBytes(first, this.#claim, gate.lists);
    const swapName = first === null ? null : this.#swapName(first);
    if (swapName !== null && !this.#claim.gave(swapName)) {
      const reason = `TLS asks for "${swapName}" at an address our resolver did not give for it`;
      const signal = "name-destination-mismatch";
      return this.#deny({ agreed: false, host: swapName, reason, signal });
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
    return await this.#splice(first);
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

  async #splice(first: FirstBytes | null): Promise<false> {
    if (this.#connection.context.gate.mode === "off") {
      this.#announce(null);
      this.#relay.startDown();
    }
    const bound = this.#claim.mustName !== null && first?.kind === "http";
    await this.#relay.up(bound ? this.#inspection() : null);
    return false;
  }

  /** Judges every request of a plain connection where names are demanded. */
  #inspection(): Inspection {
    const { lists } = this.#connection.context.gate;
    const gate = new HttpGate((head) => {
      const agreement = checkRequest(head, this.#claim, lists);
      if (!agreement.agreed) this.#deny(agreement);
      return agreement.agreed;
    });
    return (piece) => {
      const free = gate.take(piece);
      if (free === null) {
        const reason = "the requests cannot be told apart";
        this.#deny({
          agreed: false,
          host: this.#claim.bestName,
          reason,
          signal: "unmediatable-protocol",
        });
      }
      return free;
    };
  }

  #deny(agreement: Agreement): false {
    if (!this.#ending) {
      this.#ending = true;
      const { host, reason, signal } = agreement;
      const { verdict, report } = this.#connection.admission;
      report(verdict.internal ? events.internalDeny : events.deny, { host, reason, signal });
    }
    this.#relay.end("denied");
    return false;
  }

  #announce(agreement: Agreement | null): void {
    // A line that was written early, without a name, is followed by one that says what stands out.
    if (this.#ending || (this.#announced && agreement?.signal === undefined)) return;
    this.#announced = true;
    const { verdict, report } = this.#connection.admission;
    const said = agreement?.reason ?? "";
    const reason = said === "" ? verdict.reason : `${verdict.reason}; ${said}`;
    const host = agreement?.host ?? this.#claim.bestName;
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
