import { X509Certificate } from "node:crypto";
import { rootCertificates } from "node:tls";
import { expect, test } from "vitest";
import { realClock } from "../../../../src/base/op.ts";
import { guestTrust, placeholderKey } from "../../../../src/egress/swap/guest-trust.ts";
import { providerRule } from "../../../../src/egress/swap/providers.ts";
import { WorkspaceAuthority } from "../../../../src/egress/tls/authority.ts";
import { certificatesIn } from "../../../../src/egress/tls/trust-store.ts";

const ca = new WorkspaceAuthority(["api.openai.com"], realClock).certificatePem;
const [root = ""] = rootCertificates;
const debian = "/etc/ssl/certs/ca-certificates.crt";
const request = {
  caCertificatePem: ca,
  bundles: [{ path: debian, pem: `${root}\n` }],
  java: false,
  swaps: [providerRule("openai")],
};

const textAt = (path: string, trust = guestTrust(request)) =>
  Buffer.from(trust.files.find((file) => file.path === path)?.content ?? []).toString();

test("our certificate joins the image's roots, in a bundle of ours and in its own", () => {
  for (const path of ["/etc/microagent/egress-ca-bundle.pem", debian]) {
    expect(certificatesIn(textAt(path)).map((der) => new X509Certificate(der).subject)).toEqual(
      [root, ca].map((pem) => new X509Certificate(pem).subject),
    );
  }
  expect(textAt("/etc/microagent/egress-ca.pem")).toBe(ca);
  expect(textAt("/usr/local/share/ca-certificates/microagent-egress.crt")).toBe(ca);
});

test("joining twice changes nothing", () => {
  const again = guestTrust({ ...request, bundles: [{ path: debian, pem: textAt(debian) }] });
  expect(textAt(debian, again)).toBe(textAt(debian));
});

test("a machine that was cloned from another trusts the authority it has now, not the one it had", () => {
  const next = new WorkspaceAuthority(["api.openai.com"], realClock).certificatePem;
  const bundles = [{ path: debian, pem: `${textAt(debian)}${root}\n` }];
  const trust = guestTrust({ ...request, caCertificatePem: next, bundles });
  for (const path of ["/etc/microagent/egress-ca-bundle.pem", debian]) {
    expect(certificatesIn(textAt(path, trust))).toEqual(
      [root, root, next].flatMap((pem) => certificatesIn(pem)),
    );
  }
});

test("an image without roots gets well-known ones, so that programs with their own lose nothing", () => {
  const trust = guestTrust({ ...request, bundles: [] });
  const bundle = certificatesIn(textAt("/etc/microagent/egress-ca-bundle.pem", trust));
  expect(bundle).toHaveLength(rootCertificates.length + 1);
  expect(trust.files.map(({ path }) => path)).not.toContain(debian);
});

test("the variables that programs look at, and a placeholder for the key", () => {
  const combined = "/etc/microagent/egress-ca-bundle.pem";
  expect(guestTrust(request).env).toEqual({
    SSL_CERT_FILE: combined,
    CURL_CA_BUNDLE: combined,
    REQUESTS_CA_BUNDLE: combined,
    GIT_SSL_CAINFO: combined,
    PIP_CERT: combined,
    AWS_CA_BUNDLE: combined,
    CARGO_HTTP_CAINFO: combined,
    GRPC_DEFAULT_SSL_ROOTS_FILE_PATH: combined,
    DENO_CERT: "/etc/microagent/egress-ca.pem",
    NODE_EXTRA_CA_CERTS: "/etc/microagent/egress-ca.pem",
    OPENAI_API_KEY: placeholderKey,
  });
});

test("Java gets a store only where there is Java", () => {
  const store = "/etc/microagent/egress-truststore.p12";
  const trust = guestTrust({ ...request, java: true });
  expect(trust.env.JAVA_TOOL_OPTIONS).toContain(store);
  expect(trust.files.map(({ path }) => path)).toContain(store);
  expect(guestTrust(request).files.map(({ path }) => path)).not.toContain(store);
});
