import type { Duplex } from "node:stream";
import type { Op } from "../base/op.ts";
import type { AuditEvent } from "./audit-event.ts";

/** One TLS connection to a host whose credentials are swapped. */
export interface InterceptedFlow {
  /** Canonical name; what the guest's ClientHello said and the gate has allowed. */
  readonly name: string;
  readonly port: number;
  /** What the guest speaks from its first byte, the ClientHello included. */
  readonly client: Duplex;
  /** TCP to an address the gate has decided on; may be called again. Counted and capped like any flow. */
  readonly dial: () => Promise<Duplex>;
  /** `operation_id` is added. */
  readonly audit: (event: AuditEvent) => void;
}

/** Ends the TLS of swap hosts on this side. The gate hands a flow over when `covers` says so. */
export interface Interceptor {
  /** For the guest to trust; the key never leaves memory. */
  readonly caCertificatePem: string;
  /** Rules (`parseHostRule`) of all swap hosts, with their ports: they are allowed without being listed. */
  readonly hosts: readonly string[];
  covers(name: string, port: number): boolean;
  /** Ends when both sides are over, and leaves neither open. */
  intercept(op: Op, flow: InterceptedFlow): Promise<void>;
}
