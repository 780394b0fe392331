import { expect, test } from "vitest";
import { outputDeclarations } from "../../../action/outputs.ts";
import { egressFacts, outputValues } from "../../../action/run-facts.ts";
import { nothingCollected } from "../../../src/workspace/outputs.ts";
import { auditOf, captured, exited, resultOf } from "./sample-result.ts";

const around = {
  cacheHit: "none",
  patchFile: "",
  structuredOutput: "",
  receiptFile: "",
  resultFile: "",
  artifact: null,
  artifactUrl: "",
};
const valuesOf = (result: ReturnType<typeof resultOf>) =>
  outputValues(result, egressFacts(result), around);

test("exactly the declared outputs are set", () => {
  expect(Object.keys(valuesOf(resultOf())).sort()).toEqual(
    outputDeclarations.map(({ name }) => name).sort(),
  );
});

test.each([
  [exited(0), "0"],
  [exited(3), "3"],
  [{ kind: "timed_out", timeoutMs: 1 } as const, "124"],
  [{ kind: "interrupted", signal: "SIGINT" } as const, "130"],
  [{ kind: "signaled", signal: "SIGKILL", oomKilled: false } as const, "137"],
])("%j has exit code %s", (termination, code) => {
  expect(valuesOf(resultOf({ termination }))["exit-code"]).toBe(code);
});

test("hosts are counted, the most refused first, and listed up to fifty", () => {
  const denied = Object.fromEntries(
    Array.from({ length: 60 }, (_, at) => [`h${at}.example`, at + 1]),
  );
  const values = valuesOf(resultOf({ audit: auditOf(denied, { "ok.example": 2 }) }));
  expect(values["egress-allowed"]).toBe("2");
  expect(values["egress-denied"]).toBe(String((60 * 61) / 2));
  const hosts = JSON.parse(values["denied-hosts"]);
  expect(hosts).toHaveLength(50);
  expect(hosts[0]).toBe("h59.example");
});

test("the list of artifacts stays far below what a job's outputs may have together", () => {
  const artifacts = Array.from({ length: 5000 }, (_, at) => ({
    output: "x",
    guestPath: "/x",
    path: `x/${at}/${"é".repeat(1000)}`,
    sizeBytes: 1,
    sha256: "0".repeat(64),
    mode: 0o644,
  }));
  const values = valuesOf(resultOf({ outputs: { ...nothingCollected, artifacts } }));
  expect(values.artifacts.length).toBeLessThan(250_000);
  expect(JSON.parse(values.artifacts)[0]).toEqual({
    name: "x",
    path: artifacts[0]?.path,
    size: 1,
    sha256: "0".repeat(64),
  });
});

test("the tail of the output is its end, in whole characters, without controls", () => {
  const text = `${"é".repeat(20_000)}\u001b[31mred\u001b[0m\u0000\r\nend\n`;
  const tail = valuesOf(resultOf({ stdout: captured(text) }))["stdout-tail"];
  expect(Buffer.byteLength(tail)).toBeLessThanOrEqual(16 * 1024);
  expect(tail).toMatch(/^é+red\ufffd\nend\n$/);
});

test("tokens are listed by model, the most written first", () => {
  const audit = {
    ...auditOf({}),
    usage_by_model: {
      small: { answers: 1, input_tokens: 9, output_tokens: 1 },
      large: { answers: 2, input_tokens: 3, output_tokens: 4 },
    },
  };
  expect(JSON.parse(valuesOf(resultOf({ audit })).usage)).toEqual([
    { model: "large", answers: 2, input_tokens: 3, output_tokens: 4 },
    { model: "small", answers: 1, input_tokens: 9, output_tokens: 1 },
  ]);
  expect(valuesOf(resultOf()).usage).toBe("[]");
});
