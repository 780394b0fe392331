import { createHash, type KeyObject, randomBytes, sign } from "node:crypto";
import {
  bits,
  boolean,
  explicit,
  implicit,
  integer,
  octets,
  oid,
  sequence,
  setOf,
  time,
  utf8,
} from "./der.ts";

/** Who vouches for a certificate: its own name and key identifier, and the key that signs. */
export interface Issuer {
  readonly commonName: string;
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

export interface CertificateRequest {
  readonly commonName: string;
  readonly publicKey: KeyObject;
  readonly issuer: Issuer;
  /** Milliseconds since the epoch. */
  readonly notBefore: number;
  readonly notAfter: number;
  readonly use: AuthorityUse | ServerUse;
}

/** Signs leaves, and only for these names and what is below them. */
export interface AuthorityUse {
  readonly kind: "authority";
  readonly permittedNames: readonly string[];
}

/** Proves to be these names to TLS clients. */
export interface ServerUse {
  readonly kind: "server";
  readonly names: readonly string[];
}

const ecdsaWithSha256 = sequence(oid("1.2.840.10045.4.3.2"));

/** An X.509 version 3 certificate (RFC 5280), signed with ECDSA and SHA-256, as DER. */
export function makeCertificate(request: CertificateRequest): Buffer {
  const body = sequence(
    explicit(0, integer(Uint8Array.of(2))),
    integer(serialNumber()),
    ecdsaWithSha256,
    nameOf(request.issuer.commonName),
    sequence(time(request.notBefore), time(request.notAfter)),
    nameOf(request.commonName),
    subjectPublicKeyInfo(request.publicKey),
    explicit(3, sequence(...extensionsOf(request))),
  );
  const signature = sign("sha256", body, request.issuer.privateKey);
  return sequence(body, ecdsaWithSha256, bits(signature));
}

export function pemOf(der: Uint8Array): string {
  const lines =
    Buffer.from(der)
      .toString("base64")
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join("\n")}\n-----END CERTIFICATE-----\n`;
}

function extensionsOf({ use, publicKey, issuer }: CertificateRequest): Buffer[] {
  const identifiers = [
    extension("2.5.29.14", false, octets(keyIdentifier(publicKey))),
    extension("2.5.29.35", false, sequence(implicit(0, keyIdentifier(issuer.publicKey)))),
  ];
  if (use.kind === "authority") {
    return [
      // Signs no further authorities.
      extension("2.5.29.19", true, sequence(boolean(true), integer(Uint8Array.of(0)))),
      // keyCertSign and cRLSign.
      extension("2.5.29.15", true, bits(Uint8Array.of(0b0000_0110), 1)),
      extension("2.5.29.30", true, sequence(permittedSubtrees(use.permittedNames))),
      ...identifiers,
    ];
  }
  return [
    extension("2.5.29.19", true, sequence()),
    // digitalSignature.
    extension("2.5.29.15", true, bits(Uint8Array.of(0b1000_0000), 7)),
    // serverAuth.
    extension("2.5.29.37", false, sequence(oid("1.3.6.1.5.5.7.3.1"))),
    extension("2.5.29.17", false, sequence(...use.names.map(dnsName))),
    ...identifiers,
  ];
}

function extension(id: string, critical: boolean, value: Uint8Array): Buffer {
  return sequence(oid(id), ...(critical ? [boolean(true)] : []), octets(value));
}

function permittedSubtrees(names: readonly string[]): Buffer {
  return explicit(0, ...names.map((name) => sequence(dnsName(name))));
}

function dnsName(name: string): Buffer {
  return implicit(2, Buffer.from(name, "ascii"));
}

function nameOf(commonName: string): Buffer {
  const part = (id: string, text: string) => setOf(sequence(oid(id), utf8(text)));
  return sequence(part("2.5.4.10", "microagent"), part("2.5.4.3", commonName));
}

function subjectPublicKeyInfo(key: KeyObject): Buffer {
  return key.export({ type: "spki", format: "der" });
}

function keyIdentifier(key: KeyObject): Buffer {
  return createHash("sha256").update(subjectPublicKeyInfo(key)).digest().subarray(0, 20);
}

/** Positive, never empty, too long to guess. */
function serialNumber(): Buffer {
  const bytes = randomBytes(16);
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40;
  return bytes;
}
