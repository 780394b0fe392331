import { createPublicKey, generateKeyPairSync, verify } from "node:crypto";
import { once } from "node:events";
import type { IncomingMessage, RequestListener } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { createSecureContext } from "node:tls";
import { afterEach, expect, test } from "vitest";
import { MicroagentError } from "../../../../src/base/errors.ts";
import { realClock, withOp } from "../../../../src/base/op.ts";
import { CredentialSource } from "../../../../src/egress/swap/acquire.ts";
import type { SwapRule } from "../../../../src/egress/swap/rule.ts";
import { tokenEndpoint } from "../../../../src/egress/swap/token-endpoint.ts";
import { WorkspaceAuthority } from "../../../../src/egress/tls/authority.ts";

const world = new WorkspaceAuthority(["localhost"], realClock);
const trust = () => createSecureContext({ ca: world.certificatePem });
const open: { close(): unknown }[] = [];

afterEach(() => {
  for (const one of open.splice(0)) one.close();
});

async function tokenServer(handler: RequestListener): Promise<string> {
  const server = createServer(
    { SNICallback: (name, done) => done(null, world.contextFor(name)) },
    handler,
  );
  open.push(server, { close: () => server.closeAllConnections() });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return `https://localhost:${(server.address() as AddressInfo).port}/token`;
}

const shared = {
  name: "svc",
  domains: ["api.example.test"],
  header: "authorization",
  format: "Bearer {key}",
};

function clientCredentials(tokenUrl: string, tokenTtlSeconds: number | null = null): SwapRule {
  return {
    ...shared,
    type: "oauth2-cc",
    tokenUrl,
    tokenField: "access_token",
    tokenTtlSeconds,
    clientIdRef: "env:ID",
    clientSecretRef: "env:SECRET",
    scopes: ["read", "write"],
  };
}

const secrets: Record<string, string> = { "env:ID": "my id", "env:SECRET": "s3cr3t:value\n" };

function sourceOf(
  rule: SwapRule,
  more: Record<string, string> = {},
  roots = trust,
): CredentialSource {
  const all = { ...secrets, ...more };
  const resolveSecret = async (reference: string) => Buffer.from(all[reference] ?? "");
  return new CredentialSource(
    rule,
    { resolveSecret, endpoint: tokenEndpoint(roots) },
    () => () => {},
  );
}

const acquire = (source: CredentialSource) =>
  withOp("test", {}, async (op) =>
    (await source.acquire(op)).credential.formatted().slice("Bearer ".length),
  );

async function formOf(message: IncomingMessage): Promise<URLSearchParams> {
  let text = "";
  for await (const part of message) text += part;
  return new URLSearchParams(text);
}

test("client credentials: asked for once, in the form the standard wants", async () => {
  const asked: [string | undefined, URLSearchParams][] = [];
  const url = await tokenServer(async (message, response) => {
    asked.push([message.headers.authorization, await formOf(message)]);
    response.end(JSON.stringify({ access_token: "token-of-the-server", expires_in: 3600 }));
  });
  const source = sourceOf(clientCredentials(url));
  const values = await Promise.all([acquire(source), acquire(source), acquire(source)]);
  expect(values).toEqual(new Array(3).fill("token-of-the-server"));
  expect(asked).toHaveLength(1);
  const [authorization = "", form] = asked[0] ?? [];
  expect(Buffer.from(authorization.slice(6), "base64").toString()).toBe("my+id:s3cr3t%3Avalue");
  expect(Object.fromEntries(form ?? [])).toEqual({
    grant_type: "client_credentials",
    scope: "read write",
  });
});

test("a token is fetched again when its life is over", async () => {
  let count = 0;
  const url = await tokenServer((_message, response) => {
    response.end(JSON.stringify({ access_token: `token-number-${++count}`, expires_in: 100 }));
  });
  let now = 0;
  const clock = { ...realClock, monotonic: () => now };
  const source = sourceOf(clientCredentials(url));
  const at = (ms: number) =>
    withOp("test", { clock }, async (op) => {
      now = ms;
      return (await source.acquire(op)).credential.formatted().slice("Bearer ".length);
    });
  expect(await at(0)).toBe("token-number-1");
  expect(await at(49_000)).toBe("token-number-1");
  expect(await at(51_000)).toBe("token-number-2");
});

const algorithms = [
  ["RS256", () => generateKeyPairSync("rsa", { modulusLength: 2048 })],
  ["ES256", () => generateKeyPairSync("ec", { namedCurve: "P-256" })],
] as const;

test.each(algorithms)(
  "an assertion signed with %s is one the server can verify",
  async (algorithm, make) => {
    const pair = make();
    const pem = pair.privateKey.export({ type: "pkcs8", format: "pem" }).toString();
    let assertion = "";
    const url = await tokenServer(async (message, response) => {
      assertion = (await formOf(message)).get("assertion") ?? "";
      response.end(JSON.stringify({ id_token: "token-for-the-assertion" }));
    });
    const rule: SwapRule = {
      ...shared,
      type: "jwt-bearer",
      tokenUrl: url,
      tokenField: "id_token",
      tokenTtlSeconds: 60,
      signingKeyRef: "file:key",
      algorithm,
      claims: { iss: "me", sub: "you" },
      keyId: "k1",
    };
    expect(await acquire(sourceOf(rule, { "file:key": pem }))).toBe("token-for-the-assertion");
    const [head = "", claims = "", signature = ""] = assertion.split(".");
    const key = { key: createPublicKey(pem), dsaEncoding: "ieee-p1363" as const };
    expect(
      verify("sha256", Buffer.from(`${head}.${claims}`), key, Buffer.from(signature, "base64url")),
    ).toBe(true);
    const read = (part: string) => JSON.parse(Buffer.from(part, "base64url").toString());
    expect(read(head)).toEqual({ alg: algorithm, typ: "JWT", kid: "k1" });
    expect(read(claims)).toMatchObject({ iss: "me", sub: "you", aud: url });
    expect(read(claims).exp - read(claims).iat).toBe(300);
  },
);

test("a key of another kind is named without being shown", async () => {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const pem = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
  const rule: SwapRule = {
    ...shared,
    type: "jwt-bearer",
    tokenUrl: "https://localhost:1/",
    tokenField: "t",
    tokenTtlSeconds: null,
    signingKeyRef: "file:key",
    algorithm: "RS256",
    claims: {},
    keyId: null,
  };
  for (const key of [pem, "no key at all"]) {
    const failed = await acquire(sourceOf(rule, { "file:key": key })).catch(
      (error: unknown) => error,
    );
    expect(failed).toBeInstanceOf(MicroagentError);
    expect(String(failed)).toContain('signing key of swap "svc" is no RSA private key in PEM');
    expect(String(failed)).not.toContain(key.slice(30, 60) || key);
  }
});

const answers: readonly [string, RequestListener, string][] = [
  ["refuses", (_m, r) => void r.writeHead(401).end('{"error":"s3cr3t:value"}'), "secret_denied"],
  ["fails", (_m, r) => void r.writeHead(500).end("s3cr3t:value"), "secret_source_failed"],
  [
    "redirects",
    (_m, r) => void r.writeHead(302, { location: "https://localhost:1/" }).end(),
    "secret_source_failed",
  ],
  ["answers with no JSON", (_m, r) => void r.end("s3cr3t:value"), "secret_source_failed"],
  ["answers without a token", (_m, r) => void r.end("{}"), "secret_source_failed"],
  [
    "never stops",
    (_m, r) =>
      void setImmediate(function more() {
        if (r.write("x".repeat(65_536)) || !r.destroyed) setImmediate(more);
      }),
    "secret_source_failed",
  ],
  [
    "gives a token that is no header",
    (_m, r) => void r.end('{"access_token":"abcdefgh\\r\\nx: 1"}'),
    "secret_unusable",
  ],
];

test.each(answers)(
  "a token server that %s is told without what it said",
  async (_, handler, code) => {
    const url = await tokenServer(handler);
    const failed = await acquire(sourceOf(clientCredentials(url))).catch((error: unknown) => error);
    expect(failed).toMatchObject({ code });
    expect(`${failed} ${JSON.stringify((failed as MicroagentError).details)}`).not.toContain(
      "s3cr3t",
    );
  },
);

test.each([301, 302, 303, 307, 308])(
  "a client's secret does not follow a %d of its token server",
  async (status) => {
    let heard = 0;
    const stranger = await tokenServer((_message, response) => {
      heard += 1;
      response.end('{"access_token":"abcdefgh-stranger"}');
    });
    const url = await tokenServer(
      (_message, response) => void response.writeHead(status, { location: stranger }).end(),
    );
    await expect(acquire(sourceOf(clientCredentials(url)))).rejects.toMatchObject({
      code: "secret_source_failed",
    });
    expect(heard).toBe(0);
  },
);

test("a token server with a stranger's certificate never sees the client's secret", async () => {
  let asked = 0;
  const url = await tokenServer((_message, response) => {
    asked += 1;
    response.end();
  });
  const source = sourceOf(clientCredentials(url), {}, () => createSecureContext({}));
  await expect(acquire(source)).rejects.toThrow(/cannot be reached \((UNABLE_TO|SELF_SIGNED)/);
  expect(asked).toBe(0);
});
