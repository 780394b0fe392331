import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { withOp } from "../../../src/base/op.ts";
import { resolveSecretText } from "../../../src/secret/resolve.ts";

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "microagent-secret-"));
});
afterEach(async () => {
  await rm(dir, { recursive: true, force: true });
});

const resolve = (text: string, env: Record<string, string> = {}) =>
  withOp("t", { timeoutMs: 20_000 }, (op) =>
    resolveSecretText(op, text, { environment: { env: (name) => env[name] } }),
  );
const valueOfRef = async (text: string, env: Record<string, string> = {}) =>
  Buffer.from((await resolve(text, env)).bytes()).toString();

async function file(name: string, content: string): Promise<string> {
  const path = join(dir, name);
  await writeFile(path, content);
  return path;
}

async function program(script: string): Promise<string> {
  const path = await file("helper", `#!/bin/sh\n${script}\n`);
  await chmod(path, 0o755);
  return path;
}

test("env and file give the value as it is", async () => {
  expect(await valueOfRef("env:KEY", { KEY: "s3cret " })).toBe("s3cret ");
  expect(await valueOfRef(`file:${await file("key.pem", "line\nline\n")}`)).toBe("line\nline\n");
});

test("nothing and an empty value are errors that say where was looked", async () => {
  const missing = join(dir, "none");
  await expect(resolve("env:KEY")).rejects.toMatchObject({
    code: "secret_not_found",
    message: 'Environment variable "KEY" is not set or empty: wanted a secret in it',
  });
  await expect(resolve(`file:${missing}`)).rejects.toMatchObject({
    code: "secret_not_found",
    message: `Secret file "${missing}" does not exist`,
  });
  await expect(resolve(`file:${await file("empty", "")}`)).rejects.toMatchObject({
    code: "secret_not_found",
  });
  await expect(resolve(`file:${dir}`)).rejects.toMatchObject({ code: "secret_denied" });
});

test("a literal is refused and repeated nowhere", async () => {
  const error = await resolve("sk-live-0123").catch((reason: unknown) => reason);
  expect(error).toMatchObject({
    code: "invalid_argument",
    message: "The secret is not a reference",
  });
  expect(JSON.stringify(error, Object.getOwnPropertyNames(error))).not.toContain("sk-live");
});

test("more than 1 MiB is no secret", async () => {
  const path = await file("large", "x".repeat(1024 * 1024 + 1));
  await expect(resolve(`file:${path}`)).rejects.toMatchObject({ code: "secret_unusable" });
  await expect(resolve("file:/dev/zero")).rejects.toMatchObject({ code: "secret_unusable" });
});

describe("dotenv", () => {
  test("one key of a file", async () => {
    const path = await file("a.env", 'A=1\nexport B="two words" # remark\nEMPTY=\n');
    expect(await valueOfRef(`dotenv:${path}#B`)).toBe("two words");
    await expect(resolve(`dotenv:${path}#EMPTY`)).rejects.toMatchObject({
      code: "secret_not_found",
    });
    await expect(resolve(`dotenv:${path}#NONE`)).rejects.toMatchObject({
      message: `File "${path}" has no key "NONE" with a value`,
    });
  });

  test("a file that is something else is refused without being quoted", async () => {
    const path = await file("b.env", "swordfish is the password\nA=1\n");
    const error = await resolve(`dotenv:${path}#A`).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: "secret_unusable" });
    expect(String(error)).not.toContain("swordfish");
  });
});

describe("helper", () => {
  const setting = "MICROAGENT_SECRET_HELPER";

  test("one argument without a shell, and one line break less", async () => {
    const helper = await program('printf "%s|%s\\n" "$#" "$1"');
    expect(await valueOfRef("helper:a b; $(touch x)", { [setting]: helper })).toBe(
      "1|a b; $(touch x)",
    );
  });

  test("its failure is told by its status, not by what it printed", async () => {
    const helper = await program("echo swordfish; echo swordfish >&2; exit 3");
    const error = await resolve("helper:x", { [setting]: helper }).catch((e: unknown) => e);
    expect(error).toMatchObject({
      code: "secret_source_failed",
      message: `Secret helper "${helper}" ended with status 3`,
    });
    expect(JSON.stringify(error, Object.getOwnPropertyNames(error))).not.toContain("swordfish");
  });

  test("none set, none there, too much printed", async () => {
    await expect(resolve("helper:x")).rejects.toMatchObject({ code: "secret_denied" });
    await expect(resolve("helper:x", { [setting]: join(dir, "absent") })).rejects.toMatchObject({
      code: "host_tool_missing",
    });
    const endless = await program("exec yes swordfish");
    await expect(resolve("helper:x", { [setting]: endless })).rejects.toMatchObject({
      code: "secret_unusable",
    });
  });

  test("one that hangs ends with the op", async () => {
    const pidPath = join(dir, "pid");
    const helper = await program(`echo $$ > ${pidPath}; exec sleep 600`);
    const controller = new AbortController();
    const attempt = withOp("t", { signal: controller.signal }, (op) =>
      resolveSecretText(op, "helper:x", { environment: { env: () => helper } }),
    );
    const ended = expect(attempt).rejects.toMatchObject({ code: "cancelled" });
    await expect.poll(() => readFile(pidPath, "utf8").catch(() => "")).toMatch(/^\d+\n$/);
    controller.abort();
    await ended;
    const pid = Number(await readFile(pidPath, "utf8"));
    await expect.poll(() => isAlive(pid)).toBe(false);
  });
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
