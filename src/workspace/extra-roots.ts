import { X509Certificate } from "node:crypto";
import { MicroagentError } from "../base/errors.ts";
import type { Op } from "../base/op.ts";
import { certificatesIn } from "../egress/tls/trust-store.ts";
import { readSettingsFile } from "../spec/settings-file.ts";

/**
 * The texts of PEM files that `--egress-ca` names. A file without a certificate would pass for trust that was
 * added and fail every request later, so it is refused: `invalid_argument`.
 */
export async function readExtraRoots(op: Op, paths: readonly string[]): Promise<readonly string[]> {
  const texts: string[] = [];
  for (const path of paths) {
    const pem = await op.race(readSettingsFile(path, "CA file", "--egress-ca", "a PEM file"));
    const certificates = certificatesIn(pem);
    if (certificates.length === 0 || !certificates.every(isCertificate)) {
      const found =
        certificates.length === 0 ? "holds no certificate" : "holds a broken certificate";
      throw new MicroagentError(
        "invalid_argument",
        `CA file "${path}" ${found}: wanted certificates in PEM form`,
        { hint: `Look into it with: openssl x509 -noout -subject -in ${path}` },
      );
    }
    texts.push(pem);
  }
  return texts;
}

function isCertificate(der: Buffer): boolean {
  try {
    return new X509Certificate(der).raw.length > 0;
  } catch {
    return false;
  }
}
