import { expect, test } from "vitest";
import { mergeSpec } from "../../../src/spec/merge.ts";
import { renderPlan } from "../../../src/spec/render-plan.ts";
import { parsed, refusal, refused } from "./spec-texts.ts";

const secret = "sk-SECRET-0123456789";

test.each([
  `agent:\n  cred-swap: [openai=${secret}]`,
  `agent:\n  cred-swap: [${secret}]`,
  `agent:\n  cred-swap: ${secret}`,
  `agent:\n  cred-swap:\n    - anthropic=${secret}\n    - 'x=${secret}'`,
  `agent:\n  cred-swap: {openai: ${secret}}`,
  `agent:\n  credSwap: [openai=${secret}]`,
  `cred-swap:\n  - openai=${secret}`,
  `agent:\n  broker: {upstream: x, secret: key=${secret}}`,
  `agent:\n  broker: {upstream: "https://a.example", secret: ${secret}}`,
  `agent:\n  cred-swap:\n    - ${secret}: *a\n`,
  `agent:\n  cred-swap:\n    - ${secret}: a\n      ${secret}: b\n`,
  `env:\n  1BAD: ${secret}`,
  `env:\nKEY: ${secret}\nprofle: tiny`,
  `environ:\n  A: ${secret}`,
  `env:\n  A: [${secret}]`,
  `env:\n  A: {B: ${secret}}`,
  `env: ["KEY=${secret}"]`,
  `env: KEY=${secret}`,
  `environment:\n  KEY: ${secret}`,
  `env:\n  KEY: ${secret}\nprofile: huge`,
  `env:\n  KEY: "${secret}\\0"`,
  `env:\n  KEY: ${secret}\n  KEY: ${secret}`,
  `env:\n  KEY: ${secret}\n\tX: 1`,
  `env:\n  KEY: "${secret}\n  X: 1`,
  `env:\n  KEY: "${secret}\\q"\n`,
  `{env: {KEY: ${secret}, X: [}}`,
  `agent:\n  cred-swap:\n  - openai=${secret}\n  - "unclosed`,
  `agent:\n  cred-swap: [openai=${secret}\n  entry: x\n`,
])("a secret in a refused file is in no part of the error: %j", (text) => {
  const error = refusal(text);
  expect(JSON.stringify([error.message, error.hint, error.details])).not.toContain("SECRET");
});

test.each([
  { env: [secret] },
  { env: [`1BAD=${secret}`] },
  { env: [`KEY=${secret}\0`] },
  { credSwap: [`openai=${secret}`] },
  { credSwap: [secret] },
  { secret: [`key=${secret}`] },
  { secret: [secret] },
  { secretOnDemand: [`key=${secret}`] },
])("a secret in a refused flag is in no part of the error: %j", (flags) => {
  const error = refused(() => mergeSpec({ flags, file: null, surface: "run" }));
  expect(error.code).toBe("invalid_argument");
  expect(JSON.stringify([error.message, error.hint, error.details])).not.toContain("SECRET");
});

test("the printed plan names variables given by flag without their values", () => {
  const file = parsed("env: {SHOWN: yes}\n");
  const plan = mergeSpec({ flags: { env: [`KEY=${secret}`] }, file, surface: "run" });
  expect(plan.env).toEqual({ SHOWN: "yes", KEY: secret });
  const rendered = renderPlan(plan);
  expect(JSON.stringify(rendered)).not.toContain("SECRET");
  expect(rendered.env).toEqual({ KEY: { from: "flag" }, SHOWN: { from: "spec", value: "yes" } });
});

test("references are no secrets and stay readable", () => {
  const error = refusal("agent:\n  cred-swap: [openai=env:KEY]\n  entri: x\n");
  expect(String(error.details.frame)).toContain("openai=env:KEY");
});
