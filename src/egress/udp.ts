import { createSocket, type Socket } from "node:dgram";
import type { ByteStream, GuestCallStream, UdpCall } from "../agent/guest-calls.ts";
import { errnoOf } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import { endpointText, parseAddress } from "./address.ts";
import { unwrapped } from "./address-class.ts";
import { DatagramReader, framed } from "./datagrams.ts";
import type { Endpoint } from "./dial.ts";
import { type Admission, admit, endpointsOf, type FlowContext, type FlowEvents } from "./flow.ts";

const events: FlowEvents = {
  allow: "egress_udp_allow",
  deny: "egress_udp_deny",
  internalDeny: "egress_udp_internal_deny",
  close: "egress_udp_close",
};
const quicPort = 443;
const dnsPort = 53;

/** Serves one UDP flow: the datagrams between one port of the guest and one destination. */
export async function serveUdp(
  context: FlowContext,
  call: UdpCall,
  stream: GuestCallStream,
): Promise<void> {
  const { gate } = context;
  const parsed = parseAddress(call.dst);
  if (parsed === null) return stream.refuse("failed", "The destination is no address");
  const address = unwrapped(parsed);
  const filtered = gate.mode !== "off";
  if (filtered && (call.port === quicPort || call.port === dnsPort)) {
    const quic = call.port === quicPort;
    const reason = quic ? "QUIC is not passed on, so that clients take TCP" : "DNS has its own way";
    gate.report({
      event: events.deny,
      host: gate.destination(address, call.port).names.at(-1) ?? "",
      dst: endpointText(address, call.port),
      reason,
      signal: quic ? "quic-udp443" : "foreign-resolver",
      operation_id: gate.nextFlow(),
    });
    return stream.refuse("denied", reason);
  }
  const admission = admit(gate, address, call.port, events, stream);
  if (admission === null) return;
  try {
    const { mustName, anyProtocol, internal } = admission.verdict;
    const listed = mustName?.at(-1);
    if (listed !== undefined && !anyProtocol) {
      // No datagram says whom it is for in a way that could be read.
      const reason = `"${listed}" is listed without this port, which UDP needs`;
      const event = internal ? events.internalDeny : events.deny;
      const entry = `${listed}:${call.port}`;
      admission.report(event, { reason, signal: "unmediatable-protocol", allow_with: entry });
      return stream.refuse("denied", reason);
    }
    const [endpoint] = endpointsOf(gate, admission.to, admission.verdict);
    if (endpoint === undefined) return stream.refuse("failed", "There is nowhere to send to");
    const socket = await connected(endpoint);
    if (typeof socket === "string") {
      admission.report("egress_dial_error", { reason: socket });
      return stream.refuse("unreachable", socket);
    }
    admission.report(events.allow, { reason: admission.verdict.reason });
    await new UdpFlow(context, admission, stream.accept(), socket).run();
  } finally {
    admission.leave();
  }
}

/** A connected socket hears its peer only, and learns that a port is closed. */
function connected({ address, port }: Endpoint): Promise<Socket | string> {
  return new Promise((resolve) => {
    const socket = createSocket(address.family === 4 ? "udp4" : "udp6");
    socket.once("error", (error) => {
      socket.close();
      resolve(`${endpointText(address, port)} cannot be reached (${errnoOf(error) ?? "unknown"})`);
    });
    socket.once("connect", () => {
      socket.removeAllListeners("error");
      resolve(socket);
    });
    socket.connect(port, address.text);
  });
}

class UdpFlow {
  readonly idleMs: number = limits.egress.udpIdleMs;
  /** A datagram leaves at once or never. */
  readonly pending = false;
  lastActiveAt: number;
  readonly #context: FlowContext;
  readonly #admission: Admission;
  readonly #stream: ByteStream;
  readonly #socket: Socket;
  #sent = 0;
  #received = 0;
  #underway = 0;
  #how: string | null = null;

  constructor(context: FlowContext, admission: Admission, stream: ByteStream, socket: Socket) {
    this.#context = context;
    this.#admission = admission;
    this.#stream = stream;
    this.#socket = socket;
    this.lastActiveAt = context.op.clock.monotonic();
  }

  get sent(): number {
    return this.#sent;
  }

  end(how: string): void {
    if (this.#how !== null) return;
    this.#how = how;
    this.#socket.close();
    // Nobody waits for the guest's half of a flow that has none.
    this.#stream.reset();
  }

  async run(): Promise<void> {
    const { running } = this.#context;
    running.add(this);
    this.#socket.on("message", (datagram) => this.#toGuest(datagram));
    // A closed port answers with an error; the guest's next datagram opens a new flow.
    this.#socket.on("error", () => this.end("refused"));
    this.#stream.onFailure(() => this.end("reset"));
    try {
      await this.#fromGuest();
      this.end("closed");
    } catch {
      this.end("reset");
    } finally {
      running.delete(this);
      const bytes = { bytes_sent: this.#sent, bytes_received: this.#received };
      if (this.#how === "capped") {
        const reason = "the traffic of this guest is used up";
        this.#admission.report("egress_cap_exceeded", { reason, ...bytes });
      }
      this.#admission.report(events.close, { reason: this.#how ?? "", ...bytes });
    }
  }

  async #fromGuest(): Promise<void> {
    const { op, gate } = this.#context;
    const reader = new DatagramReader(this.#stream);
    for (;;) {
      const datagram = await reader.next(op);
      if (datagram === null || this.#how !== null) return;
      this.#sent += datagram.length;
      if (!this.#admit(datagram.length)) return;
      if (gate.traffic.limited) await gate.traffic.pace(op, datagram.length);
      await new Promise<void>((resolve) => {
        // Lost datagrams are the network's right; an error that lasts comes as an event.
        if (this.#how === null) this.#socket.send(datagram, () => resolve());
        else resolve();
      });
    }
  }

  #toGuest(datagram: Buffer): void {
    if (this.#how !== null || this.#underway > limits.egress.datagramBytesMax) return;
    this.#received += datagram.length;
    if (!this.#admit(datagram.length)) return;
    this.#underway += datagram.length;
    const { op, gate } = this.#context;
    const paced = gate.traffic.limited ? gate.traffic.pace(op, datagram.length) : Promise.resolve();
    paced
      .then(() => this.#stream.write(op, framed(datagram)))
      .then(
        () => {
          this.#underway -= datagram.length;
        },
        () => this.end("reset"),
      );
  }

  #admit(bytes: number): boolean {
    this.lastActiveAt = this.#context.op.clock.monotonic();
    if (this.#context.gate.traffic.count(bytes)) return true;
    this.end("capped");
    return false;
  }
}
