import type { GuestCalls } from "../agent/guest-calls.ts";
import { MicroagentError } from "../base/errors.ts";
import { type Clock, type Op, realClock, startOp } from "../base/op.ts";
import { parseAddress } from "./address.ts";
import type { AuditIdentity, EgressSignal } from "./audit-event.ts";
import type { AuditLog } from "./audit-log.ts";
import { DnsServer } from "./dns-server.ts";
import { serveDns } from "./dns-stream.ts";
import type { Running } from "./flow.ts";
import { Gate } from "./gate.ts";
import type { Interceptor } from "./interceptor.ts";
import { type Leaving, leavingBy } from "./leaving.ts";
import type { EgressPolicy } from "./policy.ts";
import type { NameResolver } from "./resolver.ts";
import { serveTcp } from "./tcp.ts";
import { serveUdp } from "./udp.ts";

/** The host's end of a guest's network. */
export interface Egress {
  /** For `Agent.connect`. */
  readonly calls: Required<Pick<GuestCalls, "tcp" | "udp" | "dns" | "unmediated">>;
  /** Notes why the guest's channel has ended, where that was the guest's doing. */
  lost(reason: MicroagentError): void;
  /** How far what the guest sends has come. */
  leaving(): Leaving | null;
  /** Ends every flow and waits for them; the audit log is closed by whoever opened it. */
  close(): Promise<void>;
}

export interface EgressOptions {
  readonly policy: EgressPolicy;
  readonly audit: AuditLog;
  readonly interceptor: Interceptor | null;
  readonly identity: AuditIdentity;
  readonly clock?: Clock | undefined;
  /** Instead of the system's. */
  readonly resolver?: NameResolver | undefined;
  /** Where the guest was told its resolver is; others it asks are noted as foreign. */
  readonly resolverAddresses?: readonly string[] | undefined;
  /** The guest's own host name: it is asked of nobody. */
  readonly guestName?: string | undefined;
}

const dnsPort = 53;

/** What the guest's agent says of its network itself, in the same words as of packets. */
const ofTheNetwork: ReadonlyMap<string, string> = new Map([
  ["network-restart", "the guest's network process ended, and every connection with it"],
  ["interface-gone", "the guest's interface was removed, and every connection with it"],
]);
const sweepMs = 15_000;

/** Opens the gate of one guest: nothing of it reaches the network but through these calls. */
export function openEgress(options: EgressOptions): Egress {
  const clock = options.clock ?? realClock;
  const gate = new Gate({ ...options, clock });
  gate.report({
    event: "egress_listen",
    host: "",
    dst: "",
    reason: `the mode is ${gate.mode}`,
  });
  return new OpenEgress(gate, clock);
}

class OpenEgress implements Egress {
  readonly calls: Egress["calls"];
  readonly #gate: Gate;
  readonly #dns: DnsServer;
  readonly #abort = new AbortController();
  /** Flows outlive no gate; that their guest is gone they learn from their streams. */
  readonly #op: Op;
  readonly #running = new Set<Running>();
  readonly #serving = new Set<Promise<void>>();
  readonly #clock: Clock;
  #cancelSweep: () => void = () => {};

  constructor(gate: Gate, clock: Clock) {
    this.#gate = gate;
    this.#clock = clock;
    this.#dns = new DnsServer(gate);
    this.#op = startOp("egress", { clock, signal: this.#abort.signal }).op;
    this.calls = {
      tcp: (_op, call, stream) =>
        this.#serve((op) => {
          if (call.port !== dnsPort) return serveTcp(this.#context(op), call, stream);
          return serveDns(op, this.#dns, { server: call.dst, transport: "tcp" }, stream);
        }),
      udp: (_op, call, stream) => this.#serve((op) => serveUdp(this.#context(op), call, stream)),
      dns: (_op, call, stream) =>
        this.#serve((op) =>
          serveDns(op, this.#dns, { server: call.dst, transport: "udp" }, stream),
        ),
      unmediated: async (_op, { protocol, dst, count }) => {
        const became = ofTheNetwork.get(protocol);
        if (became !== undefined) return this.#tellOfNetwork(became);
        const address = parseAddress(dst);
        gate.report({
          event: "egress_deny",
          host: address === null ? "" : (gate.destination(address, 0).names.at(-1) ?? ""),
          dst,
          reason: `${protocol} is not passed on`,
          signal: "unmediatable-protocol",
          count,
        });
      },
    };
    this.#sweep();
  }

  leaving(): Leaving | null {
    return leavingBy(this.#running);
  }

  lost({ code, message }: MicroagentError): void {
    if (code !== "protocol_violation" || this.#abort.signal.aborted) return;
    this.#tellOfNetwork(`the guest was cut off: ${message}`, "unmediatable-protocol");
  }

  async close(): Promise<void> {
    if (this.#abort.signal.aborted) return;
    this.#cancelSweep();
    for (const flow of [...this.#running]) flow.end("reset");
    this.#abort.abort(new MicroagentError("closed", "The network of this guest was closed"));
    this.#gate.resolver.close();
    await Promise.allSettled(this.#serving);
  }

  #tellOfNetwork(reason: string, signal?: EgressSignal): void {
    this.#gate.report({ event: "egress_close", host: "", dst: "", reason, signal });
  }

  /** A flow's waits listen to a signal of its own: hundreds of listeners on one are slow. */
  async #serve(work: (op: Op) => Promise<void>): Promise<void> {
    this.#op.check();
    let served: Promise<void> = Promise.resolve();
    const serving = this.#op.step("flow", (op) => {
      served = work(op);
      return served;
    });
    // An aborted step ends before its work, whose last line of audit is still to come.
    const ended = serving.catch(() => {}).then(() => served.catch(() => {}));
    this.#serving.add(ended);
    ended.then(() => this.#serving.delete(ended));
    await serving;
  }

  #context(op: Op): { gate: Gate; op: Op; running: Set<Running> } {
    return { gate: this.#gate, op, running: this.#running };
  }

  #sweep(): void {
    this.#cancelSweep = this.#clock.after(sweepMs, () => {
      const now = this.#clock.monotonic();
      for (const flow of [...this.#running]) {
        if (now - flow.lastActiveAt >= flow.idleMs) flow.end("idle");
      }
      this.#sweep();
    });
  }
}
