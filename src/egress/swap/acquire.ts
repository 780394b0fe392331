import { limits } from "../../base/limits.ts";
import { type Op, withOp } from "../../base/op.ts";
import { Credential, secretText } from "./credential.ts";
import type { SwapRule } from "./rule.ts";
import { clientCredentialsToken, jwtBearerToken } from "./token.ts";
import type { TokenEndpoint } from "./token-endpoint.ts";

export interface Sources {
  readonly resolveSecret: (reference: string) => Promise<Uint8Array>;
  readonly endpoint: TokenEndpoint;
}

interface Held {
  readonly credential: Credential;
  /** On the monotonic clock. */
  readonly until: number;
}

/**
 * One rule's credential: acquired when it is first needed, kept while it is good, once for all who
 * wait for it. A failure is remembered for a moment, so that a guest cannot hammer its source.
 */
export class CredentialSource {
  readonly #rule: SwapRule;
  readonly #sources: Sources;
  readonly #onAcquired: (credential: Credential) => void;
  #held: Held | null = null;
  #failed: { readonly error: unknown; readonly until: number } | null = null;
  #running: Promise<Credential> | null = null;

  constructor(rule: SwapRule, sources: Sources, onAcquired: (credential: Credential) => void) {
    this.#rule = rule;
    this.#sources = sources;
    this.#onAcquired = onAcquired;
  }

  /** Fails as its source fails, and never with the value in the message. */
  acquire(op: Op): Promise<Credential> {
    const now = op.clock.monotonic();
    if (this.#held !== null && now < this.#held.until)
      return Promise.resolve(this.#held.credential);
    if (this.#failed !== null && now < this.#failed.until)
      return Promise.reject(this.#failed.error);
    // Others may be waiting when the one who asked first is gone, so it has a time of its own.
    const bound = { timeoutMs: limits.swap.acquireMs, clock: op.clock };
    this.#running ??= withOp("credential", bound, (own) => this.#run(own)).finally(() => {
      this.#running = null;
    });
    return op.race(this.#running);
  }

  /** The upstream did not accept it: the next request gets a fresh one. */
  reject(credential: Credential): void {
    if (this.#held?.credential === credential) this.#held = null;
  }

  async #run(op: Op): Promise<Credential> {
    try {
      const { value, ttlMs } = await op.race(this.#value(op));
      const credential = new Credential(this.#rule.name, value);
      this.#held = { credential, until: op.clock.monotonic() + ttlMs };
      this.#failed = null;
      this.#onAcquired(credential);
      return credential;
    } catch (error) {
      this.#failed = { error, until: op.clock.monotonic() + limits.swap.failureTtlMs };
      throw error;
    }
  }

  async #value(op: Op): Promise<{ readonly value: string; readonly ttlMs: number }> {
    const rule = this.#rule;
    const secret = async (reference: string) =>
      secretText(await op.race(this.#sources.resolveSecret(reference)));
    switch (rule.type) {
      case "static":
        return { value: await secret(rule.keyRef), ttlMs: limits.swap.staticTtlMs };
      case "oauth2-cc":
        return await clientCredentialsToken(op, rule, secret, this.#sources.endpoint);
      case "jwt-bearer":
        return await jwtBearerToken(op, rule, secret, this.#sources.endpoint);
    }
  }
}
