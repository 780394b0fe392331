import { generateKeyPairSync } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { SecureVersion } from "node:tls";
import { inspect } from "node:util";
import { expect, onTestFinished, test } from "vitest";
import { MicroagentError } from "../../../../src/base/errors.ts";
import { realClock, withOp } from "../../../../src/base/op.ts";
import type { SwapRule } from "../../../../src/egress/swap/rule.ts";
import { openSwap } from "../../../../src/workspace/swap.ts";
import { clientCertificate } from "../../../fixtures/client-certificate.ts";
import { demandingServer } from "../../../fixtures/demanding-server.ts";
import { gateTo } from "../../../fixtures/gate-to.ts";
import { exampleRule, getH1, getH2, host, realKey } from "../../../fixtures/swap-gate.ts";

const mine = clientCertificate("mine");
const other = clientCertificate("other");
const clientCertificateRefs = { certRef: "file:cert", keyRef: "file:key" };
const rule: SwapRule = { ...exampleRule, clientCertificate: clientCertificateRefs };

const secretsOf =
  (identity: { cert: string; key: string }) =>
  async (reference: string): Promise<Uint8Array> => {
    const value = { "file:cert": identity.cert, "file:key": identity.key }[reference] ?? realKey;
    return Buffer.from(value);
  };

const servers = [
  ["HTTP/1.1", "http/1.1", "TLSv1.3"],
  ["HTTP/1.1", "http/1.1", "TLSv1.2"],
  ["HTTP/2", "h2", "TLSv1.3"],
  ["HTTP/2", "h2", "TLSv1.2"],
] as const satisfies readonly (readonly [string, string, SecureVersion])[];

test.each(servers)(
  "a server of %s (%s, %s) that demands a certificate is shown the rule's",
  async (_, protocol, version) => {
    const server = await demandingServer(protocol, version, mine.cert);
    onTestFinished(() => server.close());
    const gate = await gateTo(Promise.resolve(server), {
      rules: [rule],
      rootPem: server.rootPem,
      resolveSecret: secretsOf(mine),
    });
    for (const get of [getH1, getH2]) {
      const answer = await get(gate);
      expect(answer.status).toBe(200);
      expect(answer.body).toBe("shown by mine");
    }
    expect(JSON.stringify(gate.events)).not.toContain("PRIVATE");
  },
);

test.each(servers)(
  "a server of %s (%s, %s) is shown none by a rule without one, and the guest is told",
  async (_, protocol, version) => {
    const server = await demandingServer(protocol, version, mine.cert);
    onTestFinished(() => server.close());
    const gate = await gateTo(Promise.resolve(server), {
      rules: [exampleRule],
      rootPem: server.rootPem,
    });
    for (const get of [getH1, getH2]) expect((await get(gate)).status).toBe(502);
    expect(server.requests).toEqual([]);
    expect(JSON.stringify(gate.events)).toMatch(/ERR_SSL_/);
  },
);

test("a certificate goes to the hosts of its rule alone", async () => {
  const shown: (string | undefined)[] = [];
  const server = await demandingServer("http/1.1", "TLSv1.3", mine.cert, (name) =>
    shown.push(name),
  );
  onTestFinished(() => server.close());
  const elsewhere: SwapRule = { ...rule, name: "elsewhere", domains: ["other.example.test"] };
  const gate = await gateTo(Promise.resolve(server), {
    rules: [exampleRule, elsewhere],
    rootPem: server.rootPem,
    resolveSecret: secretsOf(mine),
  });
  expect((await getH1(gate)).status).toBe(502);
  expect(shown).toEqual([undefined]);
});

test("one that was renewed is shown after five minutes, one that is gone ends in a 502", async () => {
  const server = await demandingServer("http/1.1", "TLSv1.3", mine.cert + other.cert);
  onTestFinished(() => server.close());
  let late = 0;
  const clock = { ...realClock, monotonic: () => realClock.monotonic() + late };
  let secrets = secretsOf(mine);
  const gate = await gateTo(Promise.resolve(server), {
    rules: [rule],
    rootPem: server.rootPem,
    resolveSecret: (reference) => secrets(reference),
    clock,
  });
  expect((await getH1(gate)).body).toBe("shown by mine");
  secrets = secretsOf(other);
  expect((await getH1(gate)).body).toBe("shown by mine");
  late = 6 * 60_000;
  expect((await getH1(gate)).body).toBe("shown by other");
  const given = secrets;
  let asked = 0;
  secrets = async (reference) => {
    if (reference === "env:EXAMPLE_KEY") return await given(reference);
    asked += 1;
    throw new MicroagentError("secret_not_found", `There is nothing at ${other.key}`);
  };
  late = 12 * 60_000;
  for (let i = 0; i < 30; i++) {
    const answer = await getH1(gate);
    expect(answer.status).toBe(502);
    expect(answer.body).toContain(`The client certificate for "${host}" could not be had`);
    expect(answer.body).not.toContain("PRIVATE");
  }
  // The certificate alone is asked for while it is not there, and not as often as a guest likes.
  expect(asked).toBeLessThanOrEqual(11);
  expect(gate.events).toContainEqual({
    event: "egress_swap_error",
    host,
    dst: "",
    reason: "example: secret_not_found",
    signal: "unresolved-secret-ref",
  });
  expect(JSON.stringify(gate.events)).not.toContain("PRIVATE");
});

const encrypted = generateKeyPairSync("ec", {
  namedCurve: "P-256",
  publicKeyEncoding: { type: "spki", format: "pem" },
  privateKeyEncoding: { type: "pkcs8", format: "pem", cipher: "aes-256-cbc", passphrase: "x" },
}).privateKey;
const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 })
  .privateKey.export({ type: "pkcs8", format: "pem" })
  .toString();
const broken = mine.cert.replace(/\n.{20}/, "\n");

test.each([
  ["no certificate", "no such thing", mine.key, 6, "is no certificate in PEM"],
  ["a broken certificate", broken, mine.key, 6, "is no certificate in PEM"],
  ["a broken one behind a good one", mine.cert + broken, mine.key, 6, "is no certificate in PEM"],
  ["a key instead of a certificate", mine.key, mine.key, 6, "is no certificate in PEM"],
  ["no key", mine.cert, "not a key", 7, "is no private key in PEM"],
  ["a certificate instead of a key", mine.cert, mine.cert, 7, "is no private key in PEM"],
  ["an encrypted key", mine.cert, encrypted, 7, "is encrypted: expected one without a passphrase"],
  ["another's key", mine.cert, other.key, 7, "does not belong to its certificate"],
  ["a key of another kind", mine.cert, rsa, 7, "does not belong to its certificate"],
  ["a certificate that is not there", null, mine.key, 6, "does not exist"],
])("%s starts nothing, and the error has its place", async (_, cert, key, line, why) => {
  const dir = await mkdtemp(join(tmpdir(), "microagent-client-certificate-"));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  const at = (name: string) => join(dir, name);
  if (cert !== null) await writeFile(at("cert.pem"), cert, { mode: 0o600 });
  await writeFile(at("key.pem"), key, { mode: 0o600 });
  const configFile = at("swaps.yaml");
  await writeFile(
    configFile,
    `swaps:
  corp:
    type: static
    domains: [api.corp.example]
    key_ref: env:NOT_SET_ANYWHERE
    client_cert_ref: file:${at("cert.pem")}
    client_key_ref: file:${at("key.pem")}
`,
  );
  const request = { providers: [], configFile, caFiles: [] };
  const error = await withOp("test", {}, (op) => openSwap(op, request)).catch((e: unknown) => e);
  expect(error).toBeInstanceOf(MicroagentError);
  expect(String(error)).toContain(`${configFile}:${line}:5: `);
  expect(String(error)).toContain(why);
  expect(inspect(error, { depth: 9 })).not.toContain(key.slice(40, 80) || "PRIVATE");
});

test("one file may hold both", async () => {
  const server = await demandingServer("http/1.1", "TLSv1.3", mine.cert);
  onTestFinished(() => server.close());
  const both = mine.key + mine.cert;
  const gate = await gateTo(Promise.resolve(server), {
    rules: [{ ...rule, clientCertificate: { certRef: "file:cert", keyRef: "file:cert" } }],
    rootPem: server.rootPem,
    resolveSecret: secretsOf({ cert: both, key: both }),
  });
  expect((await getH1(gate)).body).toBe("shown by mine");
});
