import { describe, expect, test } from "vitest";
import type { Flags } from "../../../../src/spec/flags.ts";
import { mergeSpec } from "../../../../src/spec/merge.ts";
import { merge, parsed, refused } from "../spec-texts.ts";

describe("egress", () => {
  test.each<[Flags, string | undefined, string]>([
    [{ egressLockAllowlist: true }, undefined, "strict"],
    [{ egressLockAllowlist: true }, "agent: {egress: guarded}", "strict"],
    [{ egressLockAllowlist: true, egress: "guarded" }, undefined, "strict"],
    [{ egressLockAllowlist: false }, undefined, "guarded"],
  ])("a locked allow list is strict: %j %j", (flags, text, mode) => {
    expect(merge(flags, text).egress.mode).toBe(mode);
  });

  test("a locked allow list contradicts off", () => {
    const error = refused(() => merge({ egressLockAllowlist: true, egress: "off" }));
    expect([error.code, error.message]).toEqual([
      "usage",
      "Flag --egress-lock-allowlist contradicts --egress off: wanted one of them",
    ]);
  });

  test("the policy file's hosts join those of spec and flags", () => {
    const plan = mergeSpec({
      flags: { egressAllow: ["b.example:443"], egressPassthrough: ["d.example"] },
      file: parsed("agent: {allow: [A.example.]}"),
      policy: { allow: [".c.example", "a.example"], passthrough: ["E.example"] },
      surface: "dispatch",
    });
    expect(plan.egress.allow).toEqual(["a.example", "b.example:443", ".c.example"]);
    expect(plan.egress.passthrough).toEqual(["d.example", "e.example"]);
    expect(plan.provenance["agent.allow"]).toBe("union");
  });

  test("what has no effect is told", () => {
    expect(merge({ egress: "off", credSwap: ["openai"] }).notes).toEqual([
      'Egress "off" looks at nothing, so no credential is swapped: requests leave as the guest made them',
    ]);
    expect(merge({ network: "isolated", egressAllow: ["a.example"] }).notes).toEqual([
      'Allowed hosts have no effect on a network of mode "isolated"',
    ]);
    expect(merge({ network: "isolated", credSwap: ["openai"] }).notes).toEqual([
      'Credentials are not swapped on a network of mode "isolated", which reaches no host',
    ]);
    expect(merge({ network: "nat" }).notes[0]).toContain('"nat" is served as "user"');
  });

  test("allowed hosts and credential swaps are joined and made equal in form", () => {
    const plan = merge(
      {
        egressAllow: ["B.example", "a.EXAMPLE."],
        credSwap: ["openai", "anthropic=env:ANTHROPIC_API_KEY"],
      },
      "agent: {allow: [a.example], cred-swap: [anthropic]}",
    );
    expect(plan.egress.allow).toEqual(["a.example", "b.example"]);
    expect(plan.egress.credSwap).toEqual([
      "anthropic=env:ANTHROPIC_API_KEY",
      "openai=env:OPENAI_API_KEY",
    ]);
  });

  test("a file of a swap is found from where the swap is written", () => {
    const plan = merge(
      { credSwap: ["openai=dotenv:keys.env#OPENAI", "gemini=helper:a/b"] },
      "agent: {cred-swap: ['anthropic=file:./key', 'groq=file:/abs/key', 'deepseek=vault:kv/data/a#b']}",
    );
    expect(plan.egress.credSwap).toEqual([
      "anthropic=file:/base/key",
      "groq=file:/abs/key",
      "deepseek=vault:kv/data/a#b",
      "openai=dotenv:/cwd/keys.env#OPENAI",
      "gemini=helper:a/b",
    ]);
  });

  test("two references for one provider are an error", () => {
    const error = refused(() =>
      merge({ credSwap: ["openai=env:B"] }, "agent: {cred-swap: [openai]}"),
    );
    expect(error.message).toContain(
      'Flag --cred-swap: Provider "openai" has two different references',
    );
  });
});
