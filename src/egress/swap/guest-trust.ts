import { rootCertificates } from "node:tls";
import { certificatesIn, trustStore } from "../tls/trust-store.ts";
import { placeholderVariables } from "./providers.ts";
import type { SwapRule } from "./rule.ts";

/** Where images keep the roots they trust, in one file; the first there is counts. */
export const guestBundlePaths: readonly string[] = [
  "/etc/ssl/certs/ca-certificates.crt",
  "/etc/ssl/cert.pem",
  "/etc/pki/tls/certs/ca-bundle.crt",
];

/** Where Java's own roots are; that one of them exists means that the image has Java. */
export const guestJavaPaths: readonly string[] = [
  "/etc/ssl/certs/java/cacerts",
  "/etc/pki/java/cacerts",
  "/opt/java/openjdk/lib/security/cacerts",
  "/usr/lib/jvm",
];

export interface GuestTrustRequest {
  readonly caCertificatePem: string;
  /** The image's bundles with their content, in the order of `guestBundlePaths`; those that exist. */
  readonly bundles: readonly { readonly path: string; readonly pem: string }[];
  readonly java: boolean;
  readonly swaps: readonly SwapRule[];
}

export interface GuestFile {
  readonly path: string;
  readonly content: Uint8Array;
  readonly mode: number;
}

/** What makes the programs of a guest trust the host's authority and start without a key. */
export interface GuestTrust {
  /** To write as root, directories as needed; what exists is replaced. */
  readonly files: readonly GuestFile[];
  /** For every process; what the user set is stronger. */
  readonly env: Readonly<Record<string, string>>;
}

const own = "/etc/microagent/egress-ca.pem";
const combined = "/etc/microagent/egress-ca-bundle.pem";
const javaStore = "/etc/microagent/egress-truststore.p12";

/** Holds the place of a key: programs start with it, servers would refuse it. */
export const placeholderKey = "microagent-placeholder-key";

/** Pure: what to write into a guest, and nothing of it is secret. */
export function guestTrust(request: GuestTrustRequest): GuestTrust {
  const { caCertificatePem: ca, bundles, java, swaps } = request;
  // An image without roots may still have programs with their own; those would lose them.
  const base = bundles[0]?.pem ?? rootCertificates.join("\n");
  const bundle = joined(base, ca);
  const file = (path: string, content: string | Uint8Array): GuestFile => ({
    path,
    content: typeof content === "string" ? Buffer.from(content) : content,
    mode: 0o644,
  });
  const store = java ? [file(javaStore, trustStore(certificatesIn(bundle)))] : [];
  return {
    files: [
      file(own, ca),
      file(combined, bundle),
      // For whoever rebuilds the image's bundle later.
      file("/usr/local/share/ca-certificates/microagent-egress.crt", ca),
      ...bundles.map(({ path, pem }) => file(path, joined(pem, ca))),
      ...store,
    ],
    env: {
      SSL_CERT_FILE: combined,
      CURL_CA_BUNDLE: combined,
      REQUESTS_CA_BUNDLE: combined,
      GIT_SSL_CAINFO: combined,
      PIP_CERT: combined,
      AWS_CA_BUNDLE: combined,
      CARGO_HTTP_CAINFO: combined,
      GRPC_DEFAULT_SSL_ROOTS_FILE_PATH: combined,
      NODE_EXTRA_CA_CERTS: own,
      DENO_CERT: own,
      ...(java
        ? {
            JAVA_TOOL_OPTIONS: `-Djavax.net.ssl.trustStore=${javaStore} -Djavax.net.ssl.trustStoreType=PKCS12`,
          }
        : {}),
      ...Object.fromEntries(placeholderVariables(swaps).map((name) => [name, placeholderKey])),
    },
  };
}

/** By this line a later join knows our certificate, also that of another workspace. */
const mark = "# The egress authority of a microagent workspace";
const marked = new RegExp(
  `${mark}\\n-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----\\n?`,
  "g",
);

/** Once, however often it is joined, and in place of the authority that the machine had before it was cloned. */
function joined(bundle: string, ca: string): string {
  return `${bundle.replace(marked, "").trimEnd()}\n${mark}\n${ca}`;
}
