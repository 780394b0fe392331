import { generateKeyPairSync, X509Certificate } from "node:crypto";
import { inspect } from "node:util";
import { expect, test } from "vitest";
import { realClock } from "../../../../src/base/op.ts";
import { WorkspaceAuthority } from "../../../../src/egress/tls/authority.ts";
import { makeCertificate } from "../../../../src/egress/tls/certificate.ts";
import { integer, oid, time } from "../../../../src/egress/tls/der.ts";
import { certificatesIn } from "../../../../src/egress/tls/trust-store.ts";

test("the authority is one of its own, for a year, that signs leaves only", () => {
  const authority = new WorkspaceAuthority(["api.example.test"], realClock);
  const certificate = new X509Certificate(authority.certificatePem);
  expect(certificate.ca).toBe(true);
  expect(certificate.verify(certificate.publicKey)).toBe(true);
  expect(certificate.checkIssued(certificate)).toBe(true);
  expect(certificate.publicKey.asymmetricKeyDetails?.namedCurve).toBe("prime256v1");
  expect(certificate.fingerprint256.replaceAll(":", "").toLowerCase()).toBe(authority.fingerprint);
  const other = new X509Certificate(
    new WorkspaceAuthority(["api.example.test"], realClock).certificatePem,
  );
  expect(other.serialNumber).not.toBe(certificate.serialNumber);
  expect(other.verify(certificate.publicKey)).toBe(false);
});

test("a leaf is for its name, for TLS servers, and made once", () => {
  const authority = new WorkspaceAuthority(["example.test"], realClock);
  const context = authority.contextFor("api.example.test");
  expect(authority.contextFor("api.example.test")).toBe(context);
  const pair = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const issuer = { commonName: "issuer", ...pair };
  const leaf = new X509Certificate(
    makeCertificate({
      commonName: "leaf",
      publicKey: pair.publicKey,
      issuer,
      notBefore: 0,
      notAfter: 2_600_000_000_000,
      use: { kind: "server", names: ["api.example.test"] },
    }),
  );
  expect(leaf.checkHost("api.example.test")).toBe("api.example.test");
  expect(leaf.checkHost("other.example.test")).toBeUndefined();
  expect(leaf.keyUsage).toEqual(["1.3.6.1.5.5.7.3.1"]);
  expect(leaf.ca).toBe(false);
  expect(new Date(leaf.validTo).getTime()).toBe(2_600_000_000_000);
});

test("leaves are bounded in number", () => {
  const authority = new WorkspaceAuthority(["example.test"], realClock);
  const first = authority.contextFor("a.example.test");
  for (let i = 0; i < 256; i++) authority.contextFor(`a${i}.example.test`);
  expect(authority.contextFor("a.example.test")).not.toBe(first);
});

test("the key shows nowhere", () => {
  const authority = new WorkspaceAuthority(["example.test"], realClock);
  authority.contextFor("example.test");
  const shown = inspect(authority, { depth: 20, showHidden: true }) + JSON.stringify(authority);
  expect(shown).not.toMatch(/PRIVATE|KeyObject/);
});

test("DER: numbers keep their sign, identifiers their arcs, years their form", () => {
  expect(integer(Uint8Array.of(0, 0, 0x80)).toString("hex")).toBe("02020080");
  expect(integer(Uint8Array.of(0)).toString("hex")).toBe("020100");
  expect(oid("1.2.840.113549.1.7.1").toString("hex")).toBe("06092a864886f70d010701");
  expect(time(Date.UTC(2049, 11, 31)).toString("latin1")).toContain("491231000000Z");
  expect(time(Date.UTC(2050, 0, 1)).toString("latin1")).toContain("20500101000000Z");
});

test("certificates are found in a bundle with anything around them", () => {
  const one = new WorkspaceAuthority(["a.test"], realClock).certificatePem;
  const two = new WorkspaceAuthority(["b.test"], realClock).certificatePem;
  const found = certificatesIn(`# a comment\n${one}\ntext\n${two.replaceAll("\n", "\r\n")}`);
  expect(found.map((der) => new X509Certificate(der).fingerprint256)).toEqual(
    [one, two].map((pem) => new X509Certificate(pem).fingerprint256),
  );
});
