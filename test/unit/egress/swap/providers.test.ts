import { expect, test } from "vitest";
import {
  mergeSwapRules,
  placeholderVariables,
  providerRule,
} from "../../../../src/egress/swap/providers.ts";

test.each([
  ["openai", "api.openai.com", "authorization", "Bearer {key}", "env:OPENAI_API_KEY"],
  ["anthropic", "api.anthropic.com", "x-api-key", "{key}", "env:ANTHROPIC_API_KEY"],
  ["gemini", "generativelanguage.googleapis.com", "x-goog-api-key", "{key}", "env:GEMINI_API_KEY"],
  ["groq", "api.groq.com", "authorization", "Bearer {key}", "env:GROQ_API_KEY"],
  ["openrouter", "openrouter.ai", "authorization", "Bearer {key}", "env:OPENROUTER_API_KEY"],
  ["deepseek", "api.deepseek.com", "authorization", "Bearer {key}", "env:DEEPSEEK_API_KEY"],
])("%s", (name, domain, header, format, keyRef) => {
  const rule = { name, type: "static", domains: [domain], header, format, keyRef };
  expect(providerRule(name)).toEqual(rule);
  expect(providerRule(`${name}=vault:kv/data/a#b=c`)).toEqual({
    ...rule,
    keyRef: "vault:kv/data/a#b=c",
  });
});

test("an unknown provider is refused without repeating what may be a key", () => {
  expect(() => providerRule("sk-live-0123456789")).toThrow("A swap names no known provider");
  expect(() => providerRule("constructor")).toThrow("A swap names no known provider");
  expect(() => providerRule("sk-live-0123456789")).not.toThrow("sk-live");
});

test("a name by flag and in the file is an error; other names are joined", () => {
  const file = [{ ...providerRule("openai=env:MINE"), name: "mine", domains: ["a.example"] }];
  expect(mergeSwapRules(["openai"], file).map(({ name }) => name)).toEqual(["openai", "mine"]);
  expect(() => mergeSwapRules(["openai"], [providerRule("openai")])).toThrow(
    'Swap "openai" is asked for by name and by the swap file: wanted one of them',
  );
});

test("placeholders are for providers at their own hosts", () => {
  const elsewhere = { ...providerRule("groq"), domains: ["a.example"] };
  expect(placeholderVariables([providerRule("gemini"), elsewhere])).toEqual(["GEMINI_API_KEY"]);
});
