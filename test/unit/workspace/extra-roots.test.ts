import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { rootCertificates } from "node:tls";
import { afterAll, beforeAll, expect, test } from "vitest";
import { withOp } from "../../../src/base/op.ts";
import { readExtraRoots } from "../../../src/workspace/extra-roots.ts";

let dir = "";
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "microagent-roots-"));
});
afterAll(() => rm(dir, { recursive: true }));

async function rootsIn(text: string): Promise<readonly string[]> {
  const path = join(dir, "ca.pem");
  await writeFile(path, text);
  return await withOp("test", {}, (op) => readExtraRoots(op, [path]));
}

test("certificates are taken as they are, comments between them included", async () => {
  const text = `# ours\n${rootCertificates.slice(0, 2).join("\n\n")}\n`;
  expect(await rootsIn(text)).toEqual([text]);
});

test.each([
  ["something else", '{"allow": []}', "holds no certificate"],
  ["nothing", "", "holds no certificate"],
  [
    "a key",
    "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
    "holds no certificate",
  ],
  [
    "a certificate and a torn one",
    `${rootCertificates[0]}\n-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n`,
    "holds a broken certificate",
  ],
])("a file with %s is refused by name", async (_, text, problem) => {
  await expect(rootsIn(text)).rejects.toMatchObject({
    code: "invalid_argument",
    message: `CA file "${join(dir, "ca.pem")}" ${problem}: wanted certificates in PEM form`,
  });
});

test("a file that is not there is asked for as what it should be", async () => {
  const missing = join(dir, "missing.pem");
  await expect(withOp("test", {}, (op) => readExtraRoots(op, [missing]))).rejects.toMatchObject({
    message: `CA file "${missing}" does not exist`,
    hint: "Name a PEM file with --egress-ca",
  });
});
