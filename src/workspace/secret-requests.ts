import { asMicroagentError, MicroagentError } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import type { Op } from "../base/op.ts";
import { isSecretName, type NamedSecretRef } from "../secret/named.ts";
import type { ResolveOptions } from "../secret/resolve.ts";
import { resolveSecret } from "../secret/resolve.ts";
import type { Secret } from "../secret/secret.ts";
import type { SecretAccess } from "./secret-audit.ts";

/** Takes note of an access before its value is given; a failure keeps the value back. */
export type RecordAccess = (op: Op, access: Omit<SecretAccess, "at">) => Promise<void>;

/**
 * Answers what a guest asks for: declared names only, resolved anew each time, so often and no more. What the guest is
 * told of a failure names nothing of this host; the host's own progress has the reason.
 */
export class SecretRequests {
  readonly #declared: ReadonlyMap<string, NamedSecretRef>;
  readonly #record: RecordAccess;
  readonly #given: (secret: Secret) => void;
  readonly #warn: (text: string) => void;
  readonly #options: ResolveOptions;
  #tokens: number = limits.secret.requestsBurst;
  #refilledMs: number | null = null;
  #inFlight = 0;
  #limited = false;

  constructor(
    declared: readonly NamedSecretRef[],
    record: RecordAccess,
    given: (secret: Secret) => void,
    warn: (text: string) => void,
    options: ResolveOptions,
  ) {
    this.#declared = new Map(declared.map((each) => [each.name, each]));
    this.#record = record;
    this.#given = given;
    this.#warn = warn;
    this.#options = options;
  }

  /** The value; `secret_denied` or `secret_source_failed` with a sentence for the guest. */
  async answer(op: Op, name: string): Promise<Uint8Array> {
    // A name from the guest is written down only when it could be one.
    const known = isSecretName(name) ? name : "(not a name)";
    if (!this.#admit(op)) {
      if (!this.#limited) {
        this.#limited = true;
        await this.#record(op, { access: "on-demand", name: known, result: "limited" });
      }
      throw new MicroagentError("secret_denied", "Secrets are asked for too often");
    }
    this.#limited = false;
    const declared = this.#declared.get(name);
    if (declared === undefined) {
      await this.#record(op, { access: "on-demand", name: known, result: "denied" });
      throw new MicroagentError("secret_denied", `Secret "${known}" was not declared on demand`);
    }
    this.#inFlight += 1;
    try {
      return await this.#resolve(op, declared);
    } finally {
      this.#inFlight -= 1;
    }
  }

  async #resolve(op: Op, { name, ref }: NamedSecretRef): Promise<Uint8Array> {
    let secret: Secret;
    try {
      secret = await resolveSecret(op, ref, this.#options);
    } catch (error) {
      const reason = asMicroagentError(error).message;
      this.#warn(`Secret "${name}" was asked for in vain: ${reason}`);
      await this.#record(op, { access: "on-demand", name, result: "error" });
      throw new MicroagentError(
        "secret_source_failed",
        `Secret "${name}" cannot be had from the host`,
      );
    }
    await this.#record(op, { access: "on-demand", name, result: "ok" });
    this.#given(secret);
    return secret.bytes();
  }

  #admit(op: Op): boolean {
    const now = op.clock.monotonic();
    const { requestsBurst, requestsPerSecond, requestsInFlightMax } = limits.secret;
    const elapsedMs = now - (this.#refilledMs ?? now);
    this.#refilledMs = now;
    this.#tokens = Math.min(requestsBurst, this.#tokens + (elapsedMs / 1000) * requestsPerSecond);
    if (this.#tokens < 1 || this.#inFlight >= requestsInFlightMax) return false;
    this.#tokens -= 1;
    return true;
  }
}
