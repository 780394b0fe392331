import type { MicroagentError } from "../base/errors.ts";
import type { Op } from "../base/op.ts";

/** What the guest is told when a call is not taken; on the wire in this spelling. */
export type RefusalCode =
  | "denied"
  | "refused"
  | "unreachable"
  | "timed_out"
  | "limit"
  | "failed"
  | "unsupported";

/** Bytes both ways with flow control; a `ChannelStream` is one. */
export interface ByteStream {
  /** The next bytes in order, never empty; null once the peer has ended its half. One reader at a time. */
  read(op: Op): Promise<Uint8Array | null>;
  /** Gives bytes back that were read: the next read returns them first. */
  unread(bytes: Uint8Array): void;
  /** Resolves when the bytes were handed over; they must not be changed afterwards. */
  write(op: Op, bytes: Uint8Array | readonly Uint8Array[]): Promise<void>;
  /** Ends our half after everything written; the peer can still send. */
  end(): void;
  /** Nothing more is wanted: ends our half and throws away whatever still comes. */
  finish(): void;
  /** Ends both halves now; the peer sees a reset. */
  reset(reason?: MicroagentError): void;
  /** True once either side has reset the stream or its session has ended. */
  readonly failed: boolean;
  /** Calls back once, at once if it has happened: the stream was reset or its session ended. */
  onFailure(callback: (reason: MicroagentError) => void): void;
}

/** A stream the guest has opened and that was not answered yet. Answer once: a second answer is `internal`. */
export interface GuestCallStream {
  /** Says yes; the stream goes on with what the operation says, from the guest's first byte after its line. */
  accept(): ByteStream;
  /** Says no, with a sentence for the guest, and ends the stream. */
  refuse(code: RefusalCode, message: string): void;
}

export interface TcpCall {
  /** An IPv4 or IPv6 address, in the guest's spelling. */
  readonly dst: string;
  readonly port: number;
  readonly srcPort: number;
}

export type UdpCall = TcpCall;

export interface DnsCall {
  /** The resolver the guest asked. */
  readonly dst: string;
  readonly transport: "udp";
}

export interface UnmediatedCall {
  /** Printable, at most 64 characters. */
  readonly protocol: string;
  readonly dst: string;
  /** Packets since the notice before. */
  readonly count: number;
}

/**
 * Who answers the streams the guest opens. What is missing is refused as `unsupported`. `op` ends with
 * the session. A handler that fails before it has answered refuses the call: `denied` for
 * errors of kind `policy_denied`, else `failed`; a failure afterwards resets the stream. When a
 * handler ends, its stream should be over; nothing else ends it.
 */
export interface GuestCalls {
  tcp?(op: Op, call: TcpCall, stream: GuestCallStream): Promise<void>;
  udp?(op: Op, call: UdpCall, stream: GuestCallStream): Promise<void>;
  dns?(op: Op, call: DnsCall, stream: GuestCallStream): Promise<void>;
  unmediated?(op: Op, call: UnmediatedCall): Promise<void>;
  /** The value of a secret; whoever asks for one that may not be had gets the error's message. */
  secret?(op: Op, call: { readonly name: string }): Promise<Uint8Array>;
  mediation?(op: Op, stream: GuestCallStream): Promise<void>;
}
