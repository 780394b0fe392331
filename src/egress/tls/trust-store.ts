import { bmp, explicit, integer, octets, oid, sequence, setOf } from "./der.ts";

const data = oid("1.2.840.113549.1.7.1");
const certificateBag = oid("1.2.840.113549.1.12.10.1.3");
const x509 = oid("1.2.840.113549.1.9.22.1");
const friendlyName = oid("1.2.840.113549.1.9.20");
/** What makes Java take a certificate for one to trust. */
const trustedUsage = sequence(oid("2.16.840.1.113894.746875.1.1"), setOf(oid("2.5.29.37.0")));

/**
 * A PKCS #12 file (RFC 7292) of certificates to trust, as Java reads it: neither encrypted nor
 * signed, so that it needs no password. Nothing in it is secret.
 */
export function trustStore(certificates: readonly Uint8Array[]): Buffer {
  const bags = certificates.map((certificate, index) => {
    const alias = sequence(friendlyName, setOf(bmp(`microagent-${index + 1}`)));
    return sequence(
      certificateBag,
      explicit(0, sequence(x509, explicit(0, octets(certificate)))),
      setOf(alias, trustedUsage),
    );
  });
  const safe = sequence(sequence(data, explicit(0, octets(sequence(...bags)))));
  return sequence(integer(Uint8Array.of(3)), sequence(data, explicit(0, octets(safe))));
}

/** The certificates of a text in PEM, as DER. */
export function certificatesIn(pem: string): readonly Buffer[] {
  const blocks = pem.matchAll(
    /-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----/g,
  );
  return [...blocks].map((block) => Buffer.from(block[1] ?? "", "base64"));
}
