import { expect, test } from "vitest";
import { withOp } from "../../../src/base/op.ts";
import { checkSecrets } from "../../../src/secret/check.ts";
import { secretCheckJson } from "../../../src/secret/check-json.ts";

test("every reference is told by name, source and length, and never by its value", async () => {
  const environment = { env: (name: string) => (name === "KEY" ? "swordfish" : undefined) };
  const texts = [
    "API=env:KEY",
    "NO=env:ABSENT",
    "sk-live-1",
    "LIT=sk-live-2",
    "V=vault:secret/data/a#b",
    "c2stbGl2ZS0z==",
  ];
  const checks = secretCheckJson(
    await withOp("t", {}, (op) => checkSecrets(op, texts, { environment })),
  );
  expect(checks).toMatchObject([
    {
      name: "API",
      ok: true,
      source: "env",
      bytes: 9,
      warning: expect.stringContaining("plaintext"),
    },
    { name: "NO", ok: false, source: "env", bytes: null, error: { code: "secret_not_found" } },
    { name: null, ok: false, source: null, error: { code: "invalid_argument" } },
    { name: "LIT", ok: false, source: null, error: { code: "invalid_argument" } },
    { name: "V", ok: false, source: "vault", error: { code: "secret_denied" } },
    { name: null, ok: false, error: { code: "invalid_argument" } },
  ]);
  expect(checks[4]).not.toHaveProperty("warning");
  expect(JSON.stringify(checks)).not.toMatch(/swordfish|sk-live|c2stbGl2ZS0z/);
});
