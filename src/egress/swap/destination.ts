import type { Transform } from "node:stream";
import type { MicroagentError } from "../../base/errors.ts";
import type { CredentialSource } from "./acquire.ts";
import type { Credential } from "./credential.ts";
import type { Field } from "./fields.ts";
import type { EchoGuard } from "./redactor.ts";
import type { Refusal } from "./refusal.ts";
import type { SwapRule } from "./rule.ts";
import type { Upstream } from "./upstream.ts";

/** What all requests of one guest connection have in common. */
export interface Destination {
  /** The name of the guest's ClientHello, which alone decides about the credential. */
  readonly name: string;
  readonly port: number;
  readonly rule: SwapRule;
  readonly source: CredentialSource;
  readonly upstream: Upstream;
  /** Holds a credential that is about to be sent until `release`, and makes the guard of its answer. */
  guard(credential: Credential): HeldGuard;
  readonly report: Report;
}

export interface HeldGuard {
  readonly guard: EchoGuard;
  release(): void;
}

/** What the audit hears of requests. */
export interface Report {
  swapped(): void;
  /** A credential that the server refused stays in use: its rule has asked too often. */
  limited(): void;
  swapFailed(error: MicroagentError): void;
  refused(refusal: Refusal): void;
  /** A stage for the answer's body, where it may say what it cost. */
  meter(fields: readonly Field[]): Transform | null;
}
