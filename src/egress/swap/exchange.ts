import type { Readable, Writable } from "node:stream";
import type { Field } from "./fields.ts";

/** A request of the guest, whichever HTTP it speaks. */
export interface GuestRequest {
  readonly method: string;
  /** As it was written: a path, `*`, or a whole URL. */
  readonly target: string;
  /** Every host the request names beside its target. */
  readonly authorities: readonly string[];
  /** All lines, also those that concern one connection. */
  readonly fields: readonly Field[];
  /** Null: there is none. */
  readonly body: Readable | null;
  /** What followed the body; complete when the body has ended. */
  trailers(): readonly Field[];
}

/** The way back. */
export interface GuestAnswer {
  /** A head has been written; nothing can be said any more but its body. */
  readonly begun: boolean;
  /** An answer before the answer (1xx). */
  informational(status: number, fields: readonly Field[]): void;
  /** Writes the head at once and gives what takes the body. */
  begin(status: number, fields: readonly Field[]): Writable;
  /** Writes a head that no body follows. */
  whole(status: number, fields: readonly Field[]): void;
  /** Ends the body. */
  end(trailers: readonly Field[]): void;
  /** Breaks off, so that the guest cannot take what it has for the whole. */
  abort(): void;
  /** Calls back when the guest has broken off or the answer is over, whichever is first. */
  onClose(callback: () => void): void;
}

/** What goes to the upstream. */
export interface UpstreamRequest {
  readonly method: string;
  readonly path: string;
  readonly authority: string;
  /** End to end, `host` not among them. */
  readonly fields: readonly Field[];
  /** The one whose value must not stay in any compression table. */
  readonly sensitive: string;
  readonly hasBody: boolean;
  /** Null: not known before its end. */
  readonly bodyBytes: number | null;
  /** The guest has announced that it reads trailers. */
  readonly takesTrailers: boolean;
}

export interface UpstreamAnswer {
  readonly status: number;
  readonly fields: readonly Field[];
  readonly body: Readable;
  /** The head was all; of use to gRPC, where such an answer is an error. */
  readonly ended: boolean;
  trailers(): readonly Field[];
}

/** A request under way. */
export interface UpstreamExchange {
  /** Takes the request's body; null when there is none. */
  readonly body: Writable | null;
  readonly answer: Promise<UpstreamAnswer>;
  /** Ends the request's body. */
  end(trailers: readonly Field[]): void;
  abort(): void;
}

export type OnInformational = (status: number, fields: readonly Field[]) => void;
