import { createHash, generateKeyPairSync, type KeyObject } from "node:crypto";
import { createSecureContext, type SecureContext } from "node:tls";
import { randomHex } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { Clock } from "../../base/op.ts";
import { type Issuer, makeCertificate, pemOf } from "./certificate.ts";

const dayMs = 24 * 60 * 60 * 1000;

/** One workspace's certificate authority. Its key is made here and is never written, shown or sent. */
export class WorkspaceAuthority {
  readonly certificatePem: string;
  /** SHA-256 of the certificate's DER, lower-case hexadecimal. */
  readonly fingerprint: string;
  readonly #issuer: Issuer;
  /** One key serves all leaves: they are ours alike, and a key costs more than a signature. */
  readonly #leafKey: { readonly publicKey: KeyObject; readonly pem: string };
  readonly #contexts = new Map<string, SecureContext>();
  readonly #notBefore: number;
  readonly #notAfter: number;

  /** `names`: the only names, with those below them, that it can vouch for. */
  constructor(names: readonly string[], clock: Clock) {
    // A guest's clock may be a little behind, that of a restored one until it is set.
    this.#notBefore = clock.now() - dayMs;
    this.#notAfter = clock.now() + limits.swap.authorityDays * dayMs;
    const own = generateKeyPairSync("ec", { namedCurve: "P-256" });
    this.#issuer = { commonName: `microagent workspace CA ${randomHex(4)}`, ...own };
    const leaf = generateKeyPairSync("ec", { namedCurve: "P-256" });
    this.#leafKey = {
      publicKey: leaf.publicKey,
      pem: leaf.privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
    };
    const certificate = makeCertificate({
      commonName: this.#issuer.commonName,
      publicKey: own.publicKey,
      issuer: this.#issuer,
      notBefore: this.#notBefore,
      notAfter: this.#notAfter,
      use: { kind: "authority", permittedNames: names },
    });
    this.certificatePem = pemOf(certificate);
    this.fingerprint = createHash("sha256").update(certificate).digest("hex");
  }

  /** What a TLS server needs to be this canonical name; made once and kept. */
  contextFor(name: string): SecureContext {
    const known = this.#contexts.get(name);
    if (known !== undefined) return known;
    const oldest = this.#contexts.keys().next();
    if (this.#contexts.size >= limits.swap.leavesMax && oldest.done !== true) {
      this.#contexts.delete(oldest.value);
    }
    const certificate = makeCertificate({
      // The name as such may be too long for a common name; clients look at the alternative name only.
      commonName: "microagent",
      publicKey: this.#leafKey.publicKey,
      issuer: this.#issuer,
      notBefore: this.#notBefore,
      notAfter: this.#notAfter,
      use: { kind: "server", names: [name] },
    });
    const context = createSecureContext({
      key: this.#leafKey.pem,
      cert: pemOf(certificate) + this.certificatePem,
      minVersion: "TLSv1.2",
    });
    this.#contexts.set(name, context);
    return context;
  }
}
