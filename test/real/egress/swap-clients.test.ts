import { execFile } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { rootCertificates } from "node:tls";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { guestTrust } from "../../../src/egress/swap/guest-trust.ts";
import {
  type Gate,
  host,
  openGate,
  realKey,
  type Upstream,
  upstreamH1,
  upstreamH2,
} from "../../fixtures/swap-gate.ts";

const run = promisify(execFile);

let directory = "";
let ca = "";
let h1: Upstream;
let h2: Upstream;
let gates: Gate[] = [];

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "microagent-swap-"));
  h1 = await upstreamH1(async (message, response) => {
    const hash = createHash("sha256");
    for await (const part of message) hash.update(part);
    const known = message.headers.authorization === `Bearer ${realKey}`;
    response.end(`${known} ${hash.digest("hex")}\n`);
  });
  h2 = await upstreamH2(async (stream, headers) => {
    const hash = createHash("sha256");
    for await (const part of stream) hash.update(part);
    stream.respond({ ":status": 200 });
    stream.end(`${headers.authorization === `Bearer ${realKey}`} ${hash.digest("hex")}\n`);
  });
});

afterAll(async () => {
  for (const gate of gates) await gate.close();
  h1.close();
  h2.close();
  await rm(directory, { recursive: true });
});

async function gateTo(upstream: Upstream): Promise<Gate> {
  const gate = await openGate({ upstreamPort: upstream.port });
  gates = [...gates, gate];
  ca = join(directory, `ca-${gate.port}.pem`);
  await writeFile(ca, gate.interceptor.caCertificatePem);
  return gate;
}

const curl = (gate: Gate, ...args: string[]) =>
  run("curl", [
    "-sS",
    "--max-time",
    "300",
    "--cacert",
    ca,
    "--connect-to",
    `${host}:443:127.0.0.1:${gate.port}`,
    ...args,
    `https://${host}/`,
  ]);

test("curl sends 32 MiB over each protocol to a server of each protocol, byte for byte", async () => {
  const content = randomBytes(32 * 1024 * 1024);
  const file = join(directory, "content");
  await writeFile(file, content);
  const sum = createHash("sha256").update(content).digest("hex");
  for (const upstream of [h1, h2]) {
    const gate = await gateTo(upstream);
    for (const protocol of ["--http1.1", "--http2"]) {
      const { stdout } = await curl(
        gate,
        protocol,
        "-H",
        "Authorization: mine",
        "--data-binary",
        `@${file}`,
      );
      expect(stdout).toBe(`true ${sum}\n`);
    }
  }
});

test("openssl accepts the chain for the name and refuses the authority for another", async () => {
  const gate = await gateTo(h1);
  const connect = (...args: string[]) =>
    run("sh", [
      "-c",
      `openssl s_client -connect 127.0.0.1:${gate.port} -CAfile "$0" -verify_return_error "$@" </dev/null 2>&1`,
      ca,
      ...args,
    ]);
  const { stdout } = await connect("-servername", host, "-verify_hostname", host, "-x509_strict");
  expect(stdout).toContain("Verification: OK");
  expect(stdout).toMatch(/Peer signature type: ECDSA/);
  const details = await run("openssl", ["x509", "-in", ca, "-noout", "-text"]);
  expect(details.stdout).toContain(`Permitted:\n                  DNS:${host}`);
  expect(details.stdout).toContain("CA:TRUE, pathlen:0");
});

test("Python's own client, with the bundle a guest gets", async () => {
  const gate = await gateTo(h1);
  const program = `
import http.client, socket, ssl, sys
context = ssl.create_default_context()
raw = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
connection = http.client.HTTPSConnection(sys.argv[2])
connection.sock = context.wrap_socket(raw, server_hostname=sys.argv[2])
for _ in range(3):
    connection.request("POST", "/", body=iter([b"a", b"b"]), headers={"x-api-key": "mine"}, encode_chunked=True)
    answer = connection.getresponse()
    print(answer.status, answer.read().decode().split()[0])
`;
  const files = guestTrust({
    caCertificatePem: gate.interceptor.caCertificatePem,
    bundles: [],
    java: false,
    swaps: [],
  }).files;
  const bundle = join(directory, "bundle.pem");
  await writeFile(bundle, files.find(({ path }) => path.endsWith("bundle.pem"))?.content ?? "");
  const env = { PATH: process.env.PATH, SSL_CERT_FILE: bundle };
  const { stdout } = await run("python3", ["-c", program, String(gate.port), host], { env });
  expect(stdout).toBe("200 true\n200 true\n200 true\n");
});

/** Asks by itself, as a program that knows nothing of us: what it trusts comes from its environment. */
const javaClient = `
import java.io.*;
import java.net.Socket;
import javax.net.ssl.*;

public class Ask {
  public static void main(String[] words) throws Exception {
    Socket raw = new Socket("127.0.0.1", Integer.parseInt(words[0]));
    SSLSocketFactory usual = (SSLSocketFactory) SSLSocketFactory.getDefault();
    try (SSLSocket socket = (SSLSocket) usual.createSocket(raw, words[1], 443, true)) {
      SSLParameters parameters = socket.getSSLParameters();
      parameters.setEndpointIdentificationAlgorithm("HTTPS");
      socket.setSSLParameters(parameters);
      String request = "GET / HTTP/1.1\\r\\nHost: " + words[1] + "\\r\\nConnection: close\\r\\n\\r\\n";
      socket.getOutputStream().write(request.getBytes("ASCII"));
      for (String line : new BufferedReader(new InputStreamReader(socket.getInputStream())).lines().toList()) {
        System.out.println(line);
      }
    } catch (SSLException refused) {
      System.out.println("refused: " + refused.getMessage());
    }
  }
}
`;

test("Java accepts the chain with the store that a guest gets, and not without", async () => {
  const gate = await gateTo(h1);
  const { files, env } = guestTrust({
    caCertificatePem: gate.interceptor.caCertificatePem,
    bundles: [],
    java: true,
    swaps: [],
  });
  const source = join(directory, "Ask.java");
  await writeFile(source, javaClient);
  const guestPath = files.find(({ path }) => path.endsWith(".p12"))?.path ?? "";
  const store = join(directory, "java.p12");
  await writeFile(store, files.find(({ path }) => path === guestPath)?.content ?? "");
  const options = env.JAVA_TOOL_OPTIONS?.replace(guestPath, store) ?? "";
  const ask = async (more: Record<string, string>) => {
    const environment = { PATH: process.env.PATH, ...more };
    const words = ["-XX:TieredStopAtLevel=1", source, String(gate.port), host];
    return (await run("java", words, { env: environment })).stdout;
  };
  expect(await ask({ JAVA_TOOL_OPTIONS: options })).toMatch(/^HTTP\/1\.1 200 OK\n[\s\S]*\ntrue /);
  expect(await ask({})).toMatch(/^refused: .*PKIX path building failed/);
});

test("the store for Java holds every root, marked as trusted, without a password", async () => {
  const gate = await gateTo(h1);
  const trust = guestTrust({
    caCertificatePem: gate.interceptor.caCertificatePem,
    bundles: [],
    java: true,
    swaps: [],
  });
  const store = join(directory, "store.p12");
  const content = trust.files.find(({ path }) => path.endsWith(".p12"))?.content ?? "";
  await writeFile(store, content);
  const { stdout } = await run("openssl", [
    "pkcs12",
    "-in",
    store,
    "-nomacver",
    "-passin",
    "pass:",
  ]);
  expect(stdout.match(/BEGIN CERTIFICATE/g)).toHaveLength(rootCertificates.length + 1);
  // Its value is a type that the program does not print.
  const trusted = /2\.16\.840\.1\.113894\.746875\.1\.1: /g;
  expect(stdout.match(trusted)).toHaveLength(rootCertificates.length + 1);
  const own = gate.interceptor.caCertificatePem.split("\n")[1] ?? "";
  expect(stdout).toContain(own);
});
