import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import type { SecureContext } from "node:tls";
import { isMicroagentError, MicroagentError } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import { type Op, withOp } from "../../base/op.ts";
import type { Trust } from "../tls/roots.ts";
import { certificatesIn } from "../tls/trust-store.ts";
import { secretText } from "./credential.ts";
import { FetchLimit } from "./fetch-limit.ts";
import type { ClientCertificateRefs, SwapRule } from "./rule.ts";

/** The field of a swap file that a certificate or its key comes from. */
export type ClientCertificateField = "client_cert_ref" | "client_key_ref";

/**
 * The certificate that one rule's servers are shown, and its key. Read from its references when it is made, so that a
 * mistake starts nothing, and again when it has been used for a while: certificates are renewed while workspaces run.
 */
export class ClientCertificate {
  readonly #rule: SwapRule;
  readonly #refs: ClientCertificateRefs;
  readonly #resolveSecret: (reference: string) => Promise<Uint8Array>;
  readonly #trust: Trust;
  readonly #limit = new FetchLimit();
  #made: { readonly context: SecureContext; readonly until: number } | null = null;
  #running: Promise<SecureContext> | null = null;

  constructor(
    rule: SwapRule,
    refs: ClientCertificateRefs,
    resolveSecret: (reference: string) => Promise<Uint8Array>,
    trust: Trust,
  ) {
    this.#rule = rule;
    this.#refs = refs;
    this.#resolveSecret = resolveSecret;
    this.#trust = trust;
  }

  /** What a connection to the rule's servers is made with. Fails as a reference does, and with `secret_unusable`. */
  async context(op: Op): Promise<SecureContext> {
    if (this.#made !== null && op.clock.monotonic() < this.#made.until) return this.#made.context;
    if (this.#running === null) {
      if (!this.#limit.take(op.clock)) throw this.#tooOften();
      // Other connections may be waiting when the one that asked first is gone, so it has a time of its own.
      const bound = { timeoutMs: limits.swap.acquireMs, clock: op.clock };
      this.#running = withOp("client certificate", bound, (own) => this.#make(own)).finally(() => {
        this.#running = null;
      });
      this.#running.catch(() => {});
    }
    return await op.race(this.#running);
  }

  async #make(op: Op): Promise<SecureContext> {
    const cert = await this.#read(op, "client_cert_ref", this.#refs.certRef);
    const key = await this.#read(op, "client_key_ref", this.#refs.keyRef);
    this.#check(cert, key);
    const context = this.#contextOf(cert, key);
    this.#made = { context, until: op.clock.monotonic() + limits.swap.staticTtlMs };
    return context;
  }

  async #read(op: Op, field: ClientCertificateField, reference: string): Promise<string> {
    try {
      return secretText(await op.race(this.#resolveSecret(reference)));
    } catch (error) {
      if (!isMicroagentError(error)) throw error;
      const { code, message, hint, details } = error;
      throw new MicroagentError(code, message, {
        hint,
        details: { ...details, ...this.#place(field) },
      });
    }
  }

  /** OpenSSL refuses some that it can read: keys that are too short, for one. */
  #contextOf(cert: string, key: string): SecureContext {
    try {
      return this.#trust({ cert, key });
    } catch (error) {
      const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
      const why = `is refused by OpenSSL (${code ?? "no reason given"})`;
      throw this.#unusable("client_cert_ref", "client certificate", why);
    }
  }

  /** What OpenSSL would say in the middle of a handshake, in words and before anything starts. */
  #check(cert: string, key: string): void {
    const [first] = certificatesIn(cert);
    const certificate = first === undefined ? null : certificateOrNull(first);
    const isWhole = certificatesIn(cert).every((der) => certificateOrNull(der) !== null);
    if (certificate === null || !isWhole) {
      throw this.#unusable("client_cert_ref", "client certificate", "is no certificate in PEM");
    }
    const pem = keyOrNull(key);
    if (pem === null) {
      const why = /ENCRYPTED/.test(key)
        ? "is encrypted: expected one without a passphrase"
        : "is no private key in PEM";
      throw this.#unusable("client_key_ref", "client key", why);
    }
    if (!certificate.checkPrivateKey(pem)) {
      throw this.#unusable("client_key_ref", "client key", "does not belong to its certificate");
    }
  }

  #unusable(field: ClientCertificateField, what: string, why: string): MicroagentError {
    return new MicroagentError(
      "secret_unusable",
      `The ${what} of swap "${this.#rule.name}" ${why}`,
      {
        hint: "The client's own certificate comes first in client_cert_ref, then those that signed it",
        details: this.#place(field),
      },
    );
  }

  #tooOften(): MicroagentError {
    return new MicroagentError(
      "secret_source_failed",
      `The client certificate of swap "${this.#rule.name}" was asked for ${limits.swap.fetchesPerMinute} times in a minute: expected fewer failures`,
      { details: { limited: true } },
    );
  }

  #place(field: ClientCertificateField) {
    return { swap: this.#rule.name, swapField: field };
  }
}

function certificateOrNull(der: Uint8Array): X509Certificate | null {
  try {
    return new X509Certificate(der);
  } catch {
    return null;
  }
}

function keyOrNull(pem: string): KeyObject | null {
  try {
    return createPrivateKey(pem);
  } catch {
    // Its error may hold something of the key.
    return null;
  }
}
