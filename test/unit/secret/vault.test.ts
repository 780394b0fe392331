import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";

import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { realClock, withOp } from "../../../src/base/op.ts";
import { WorkspaceAuthority } from "../../../src/egress/tls/authority.ts";
import { resolveSecretText } from "../../../src/secret/resolve.ts";
import { startVault, type VaultStandIn } from "../../fixtures/vault-stand-in.ts";

const token = "hvs.not-to-be-seen";
let vault: VaultStandIn;
beforeAll(async () => {
  vault = await startVault({
    token,
    namespace: "team",
    secrets: {
      "secret/data/app": { password: "swordfish", port: 5432, nested: { a: 1 }, gone: null },
      "kv/deep/data/a b/one": { only: "value" },
    },
  });
});
afterAll(async () => {
  await vault[Symbol.asyncDispose]();
});
beforeEach(() => vault.behave("well"));

const resolve = async (text: string, more: Record<string, string> = {}, timeoutMs = 10_000) => {
  const env: Record<string, string> = {
    VAULT_ADDR: vault.address,
    VAULT_TOKEN: token,
    VAULT_NAMESPACE: "team",
    ...more,
  };
  const secret = await withOp("t", { timeoutMs }, (op) =>
    resolveSecretText(op, text, { environment: { env: (name) => env[name] || undefined } }),
  );
  return secret.text();
};

test("a field of a path, below any mount, in a namespace", async () => {
  expect(await resolve("vault:secret/data/app#password")).toBe("swordfish");
  expect(await resolve("vault:secret/data/app#port")).toBe("5432");
  expect(await resolve("vault:kv/deep/data/a%20b/one").catch((e: Error) => e.message)).toContain(
    "has nothing at path",
  );
  expect(await resolve("vault:/kv/deep/data/x/../one#only").catch((e: Error) => e.message)).toBe(
    "The secret does not name a path and a field in Vault",
  );
  expect(vault.asked).toContain("secret/data/app");
});

test.each([
  ["a missing path", "vault:secret/data/none#a", {}, "secret_not_found", "has nothing at path"],
  ["a missing field", "vault:secret/data/app#none", {}, "secret_not_found", 'no field "none"'],
  ["an inherited name", "vault:secret/data/app#toString", {}, "secret_not_found", "no field"],
  ["a deleted field", "vault:secret/data/app#gone", {}, "secret_not_found", "no field"],
  ["a structure", "vault:secret/data/app#nested", {}, "secret_unusable", "is a structure"],
  ["no field named", "vault:secret/data/app", {}, "invalid_argument", "has 4 fields"],
  ["a wrong token", "vault:secret/data/app#port", { VAULT_TOKEN: "x" }, "secret_denied", "refuses"],
  ["no token", "vault:secret/data/app#port", { VAULT_TOKEN: "" }, "secret_denied", "VAULT_TOKEN"],
  ["no address", "vault:secret/data/app#port", { VAULT_ADDR: "" }, "secret_denied", "VAULT_ADDR"],
  ["no URL", "vault:secret/data/app#port", { VAULT_ADDR: "vault" }, "invalid_argument", "URL"],
  [
    "nobody there",
    "vault:secret/data/app#port",
    { VAULT_ADDR: "http://127.0.0.1:1" },
    "secret_source_failed",
    "cannot be reached (ECONNREFUSED)",
  ],
] as const)("%s", async (_, text, env, code, message) => {
  const error = await resolve(text, env).catch((reason: unknown) => reason);
  expect(error).toMatchObject({ code, message: expect.stringContaining(message) });
  expect(JSON.stringify(error, Object.getOwnPropertyNames(error))).not.toMatch(
    /swordfish|not-to-be-seen/,
  );
});

test.each([
  ["sealed", "secret_source_failed"],
  ["endless", "secret_source_failed"],
  ["broken", "secret_unusable"],
] as const)("a server that is %s", async (how, code) => {
  vault.behave(how);
  const error = await resolve("vault:secret/data/app#password").catch((reason: unknown) => reason);
  expect(error).toMatchObject({ code });
  expect(JSON.stringify(error, Object.getOwnPropertyNames(error))).not.toContain("swordfish");
});

test("a server that never answers is left at the deadline", async () => {
  vault.behave("silent");
  await expect(resolve("vault:secret/data/app#password", {}, 200)).rejects.toMatchObject({
    code: "timeout",
  });
});

test("a standby leads to the active node, once", async () => {
  await using active = await startVault({ token, secrets: { "secret/data/app": { a: "active" } } });
  vault.behave({ redirect: active.address });
  expect(await resolve("vault:secret/data/app#a")).toBe("active");
  active.behave({ redirect: vault.address });
  await expect(resolve("vault:secret/data/app#a")).rejects.toMatchObject({
    code: "secret_source_failed",
  });
});

test("the token does not follow a redirect to another host", async () => {
  let heard = 0;
  const other = createServer((_request, response) => {
    heard += 1;
    response.end();
  });
  await new Promise<void>((done) => other.listen(0, "127.0.0.1", done));
  const { port } = other.address() as AddressInfo;
  try {
    for (const at of [
      `http://localhost:${port}`,
      `http://127.1.1.1:${port}`,
      `//localhost:${port}`,
    ]) {
      vault.behave({ redirect: at });
      await expect(resolve("vault:secret/data/app#password")).rejects.toMatchObject({
        code: "secret_source_failed",
        message: expect.stringContaining(
          `redirects to another host, "${new URL(at, "http://x").hostname}"`,
        ),
        hint: expect.stringContaining("VAULT_ADDR"),
      });
    }
  } finally {
    other.close();
  }
  expect(heard).toBe(0);
});

test("TLS: a company's root by VAULT_CACERT, and never without a verified name", async () => {
  const authority = new WorkspaceAuthority(["vault.test"], realClock);
  const secrets = { "secret/data/app": { a: "over TLS" } };
  await using server = await startVault({
    token,
    secrets,
    tls: authority.contextFor("vault.test"),
  });
  const dir = await mkdtemp(join(tmpdir(), "microagent-vault-"));
  try {
    const caPath = join(dir, "ca.pem");
    await writeFile(caPath, authority.certificatePem);
    const at = { VAULT_ADDR: server.address, VAULT_NAMESPACE: "", VAULT_SKIP_VERIFY: "1" };
    const named = { ...at, VAULT_TLS_SERVER_NAME: "vault.test" };
    const read = (env: Record<string, string>) => resolve("vault:secret/data/app#a", env);
    expect(await read({ ...named, VAULT_CACERT: caPath })).toBe("over TLS");
    await expect(read(named)).rejects.toMatchObject({ code: "secret_source_failed" });
    await expect(
      read({ ...at, VAULT_TLS_SERVER_NAME: "other.test", VAULT_CACERT: caPath }),
    ).rejects.toMatchObject({
      message: expect.stringContaining("is not in the cert's altnames"),
    });
    await expect(read({ ...named, VAULT_CACERT: join(dir, "none") })).rejects.toMatchObject({
      code: "secret_denied",
      message: expect.stringContaining("of VAULT_CACERT cannot be read (ENOENT)"),
    });
    expect(server.asked).toEqual(["secret/data/app"]);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
});
