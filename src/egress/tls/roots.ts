import { readFile } from "node:fs/promises";
import { createSecureContext, rootCertificates, type SecureContext } from "node:tls";
import { errnoOf, MicroagentError } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import type { Op } from "../../base/op.ts";
import { hostEnvironment } from "../../host/environment.ts";

/** Where systems keep the roots they trust, in one file. */
const systemBundles = [
  "/etc/ssl/certs/ca-certificates.crt",
  "/etc/pki/tls/certs/ca-bundle.crt",
  "/etc/ssl/cert.pem",
];

/** What a server that asks its client for a certificate is shown: certificates and their key in PEM. */
export interface ClientIdentity {
  readonly cert: string;
  readonly key: string;
}

/** What a connection of ours trusts, and what it shows of itself. */
export type Trust = (identity?: ClientIdentity) => SecureContext;

/**
 * What our own connections trust: the system's roots (Node's where it has none), those of
 * `NODE_EXTRA_CA_CERTS`, and `extraPem`. `invalid_argument` when a file the user named cannot be read.
 */
export async function hostTrust(op: Op, extraPem: readonly string[]): Promise<Trust> {
  const named = hostEnvironment.env("NODE_EXTRA_CA_CERTS");
  const [system, extra] = await op.together([
    (part) => part.race(systemRoots()),
    async (part) => (named === undefined ? [] : [await part.race(readNamed(named))]),
  ]);
  const ca = [...system, ...extra, ...extraPem];
  let made: SecureContext | null = null;
  // Reading more than a hundred certificates takes a while, and no machine has to wait for it.
  return (identity) => {
    if (identity !== undefined) {
      return createSecureContext({ ca, minVersion: "TLSv1.2", ...identity });
    }
    made ??= createSecureContext({ ca, minVersion: "TLSv1.2" });
    return made;
  };
}

async function systemRoots(): Promise<readonly string[]> {
  for (const path of systemBundles) {
    try {
      return [await readFile(path, "utf8")];
    } catch {
      // The next one, and Node's own list in the end.
    }
  }
  return rootCertificates;
}

async function readNamed(path: string): Promise<string> {
  try {
    const text = await readFile(path, "utf8");
    if (text.length <= limits.swap.bundleBytesMax) return text;
  } catch (error) {
    throw new MicroagentError(
      "invalid_argument",
      `File "${path}" of NODE_EXTRA_CA_CERTS cannot be read (${errnoOf(error) ?? "unknown reason"})`,
    );
  }
  throw new MicroagentError(
    "invalid_argument",
    `File "${path}" of NODE_EXTRA_CA_CERTS is larger than ${limits.swap.bundleBytesMax} bytes`,
  );
}
