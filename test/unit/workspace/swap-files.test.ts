import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { planRun } from "../../../src/runs.ts";
import type { Flags } from "../../../src/spec/flags.ts";

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "microagent-swap-files-"));
});
afterAll(async () => {
  await rm(dir, { recursive: true, force: true });
});

const plan = (flags: Flags) =>
  planRun("dispatch", { image: "a.example/b", exec: "x", ...flags }, undefined);

async function file(name: string, text: string): Promise<string> {
  const path = join(dir, name);
  await writeFile(path, text);
  return path;
}

const swap = (name: string, domain: string) =>
  `  ${name}: {type: static, domains: [${domain}], key_ref: "env:NOT_SET_ANYWHERE"}\n`;

test("the files of a swap are read with the plan, and no secret is asked for", async () => {
  const egressSwapConfig = await file("good.yaml", `swaps:\n${swap("one", "a.example")}`);
  const planned = await plan({ egressSwapConfig });
  expect(planned.egress.swapConfigFile).toBe(egressSwapConfig);
});

test.each([
  ["a key that is none", `swaps:\n  one: {type: static, domain: [a.example]}\n`, /"domain"/],
  [
    "an address for a host",
    `swaps:\n${swap("one", "10.0.0.1")}`,
    /"10\.0\.0\.1", which is an address/,
  ],
  [
    "one host for two swaps",
    `swaps:\n${swap("one", "a.example")}${swap("two", "A.example:443")}`,
    /"one" and "two" are both for "a\.example:443"/,
  ],
  [
    "a provider that is also asked for by name",
    `swaps:\n${swap("openai", "b.example")}`,
    /"openai" is asked for/,
  ],
])("a plan with %s in its swap file is refused", async (_what, text, message) => {
  const egressSwapConfig = await file("bad.yaml", text);
  await expect(plan({ egressSwapConfig, credSwap: ["openai"] })).rejects.toThrow(message);
});

test("a plan is refused whose swap file or root is not there or is none", async () => {
  const missing = join(dir, "missing.yaml");
  await expect(plan({ egressSwapConfig: missing })).rejects.toMatchObject({
    code: "invalid_argument",
    message: expect.stringContaining(missing),
  });
  const egressCa = [await file("root.pem", "no certificate")];
  await expect(plan({ egressCa })).rejects.toThrow("holds no certificate");
});

test("a guest without a network needs none of them", async () => {
  const egressSwapConfig = await file("unused.yaml", "nothing: of the kind\n");
  await expect(plan({ egressSwapConfig, network: "isolated" })).resolves.toBeDefined();
});
