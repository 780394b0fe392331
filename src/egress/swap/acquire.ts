import { MicroagentError } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import { type Op, withOp } from "../../base/op.ts";
import { Credential, secretText } from "./credential.ts";
import { FetchLimit } from "./fetch-limit.ts";
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
  readonly release: () => void;
  isRefused: boolean;
}

/** A credential for one request. */
export interface Acquired {
  readonly credential: Credential;
  /** A fresh one was due, and the rule has asked too often; true once for each time that this begins. */
  readonly isLimited: boolean;
}

/**
 * One rule's credential: acquired when it is first needed, kept while it is good, once for all who
 * wait for it. A failure is remembered for a moment, so that a guest cannot hammer its source.
 */
export class CredentialSource {
  readonly #rule: SwapRule;
  readonly #sources: Sources;
  readonly #hold: (credential: Credential) => () => void;
  readonly #limit = new FetchLimit();
  #held: Held | null = null;
  #failed: { readonly error: unknown; readonly until: number } | null = null;
  #running: Promise<Credential> | null = null;

  /** `hold` is told of the one that is kept, and what it returns is called when another one is. */
  constructor(rule: SwapRule, sources: Sources, hold: (credential: Credential) => () => void) {
    this.#rule = rule;
    this.#sources = sources;
    this.#hold = hold;
  }

  /** Fails as its source fails, and never with the value in the message. */
  async acquire(op: Op): Promise<Acquired> {
    const now = op.clock.monotonic();
    const held = this.#held !== null && now < this.#held.until ? this.#held : null;
    if (held !== null && !held.isRefused) return { credential: held.credential, isLimited: false };
    if (this.#running === null) {
      if (this.#failed !== null && now < this.#failed.until) throw this.#failed.error;
      if (!this.#limit.take(op.clock)) {
        const isLimited = this.#limit.tell();
        // The server may have refused the request, not the credential: better than nothing.
        if (held !== null) return { credential: held.credential, isLimited };
        throw tooOften(this.#rule);
      }
      // Others may be waiting when the one who asked first is gone, so it has a time of its own.
      const bound = { timeoutMs: limits.swap.acquireMs, clock: op.clock };
      this.#running = withOp("credential", bound, (own) => this.#run(own)).finally(() => {
        this.#running = null;
      });
      this.#running.catch(() => {});
    }
    return { credential: await op.race(this.#running), isLimited: false };
  }

  /** The upstream did not accept it: the next request gets a fresh one, as far as the limit allows. */
  reject(op: Op, credential: Credential): void {
    if (this.#held?.credential !== credential || this.#held.isRefused) return;
    this.#held.isRefused = true;
    this.#limit.refused(op.clock);
  }

  accept(credential: Credential): void {
    if (this.#held?.credential !== credential) return;
    this.#held.isRefused = false;
    this.#limit.accepted();
  }

  async #run(op: Op): Promise<Credential> {
    try {
      const { value, ttlMs } = await op.race(this.#value(op));
      const credential = new Credential(this.#rule, value);
      const until = op.clock.monotonic() + ttlMs;
      const release = this.#hold(credential);
      this.#held?.release();
      this.#held = { credential, until, release, isRefused: false };
      this.#failed = null;
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

function tooOften(rule: SwapRule): MicroagentError {
  return new MicroagentError(
    "secret_source_failed",
    `The credential of swap "${rule.name}" was asked for ${limits.swap.fetchesPerMinute} times in a minute: expected fewer refusals and failures`,
    { details: { limited: true } },
  );
}
