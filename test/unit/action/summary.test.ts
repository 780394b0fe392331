import fc from "fast-check";
import { expect, test } from "vitest";
import { summaryBlock, summaryText } from "../../../action/escape.ts";
import {
  failedSummary,
  type SummaryFacts,
  summaryBytesMax,
  summaryOf,
} from "../../../action/summary.ts";

const facts: SummaryFacts = {
  conclusion: "success",
  sentence: "The command exited with 0",
  workspace: "w",
  image: "oci:x",
  digest: "sha256:0",
  accel: "kvm",
  accelReason: "It boots",
  cpus: 2,
  memoryMib: 1024,
  times: [
    ["boot", 300],
    ["run", 61_000],
  ],
  cacheHit: "none",
  allowed: [],
  denied: [],
  auditProblem: null,
  usage: [],
  artifacts: [],
  artifactUrl: null,
  missing: [],
  outputTail: "",
};

/** What Markdown or HTML would act on. */
const evil =
  "<img src=x onerror=1> [a](http://x) ![i](y) <script> `c` **b** @someone #1 | ::error:: \r\n\n# head\n```\n~~~\n<!-- x -->&amp;\"'";

test("nothing of foreign text is left to HTML or Markdown", () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.constant(evil)), (text) => {
      const inline = summaryText(text);
      expect(inline).not.toMatch(/[<>"'`*_[\]()!|~@\\\n\r]/);
      expect(inline.replace(/&#\d+;/g, "")).not.toMatch(/[&#]/);
      const block = summaryBlock(text);
      expect(block).not.toMatch(/[<>"'`*_[\]!|~@\r]/);
      expect(block).not.toContain("\n\n");
    }),
  );
});

test("a summary says what happened, with every text of a guest escaped", () => {
  const hostile = summaryOf({
    ...facts,
    sentence: evil,
    workspace: evil,
    image: evil,
    denied: [[evil, 3]],
    allowed: [["ok.example", 1]],
    auditProblem: evil,
    usage: [{ model: evil, answers: 1, input_tokens: 22, output_tokens: 14 }],
    artifacts: [{ path: evil, size: 3, sha256: "ab".repeat(32) }],
    artifactUrl: 'https://github.com/x/y" onclick="1',
    missing: [evil],
    outputTail: `</pre></details>${evil}`,
  });
  for (const part of ["<img", "<script", "onerror=1>", "](http", "```", "<!--", '" onclick'])
    expect(hostile).not.toContain(part);
  expect(hostile.match(/<\/details>/g)).toHaveLength(1);
  expect(hostile.match(/<\/pre>/g)).toHaveLength(1);
  expect(hostile).toContain("ab".repeat(32));
  expect(hostile).toContain("ok.example");
  expect(hostile).toContain('<td align="right">22</td><td align="right">14</td>');
  expect(summaryOf(facts)).toContain("boot 300 ms, run 1 min 1 s");
  expect(failedSummary("infra-error", evil)).not.toContain("<img");
});

test("a summary keeps its budget: the output goes first, then rows, and it says so", () => {
  const rows = (count: number) =>
    Array.from({ length: count }, (_, at) => [`${"~".repeat(300)}${at}`, 1] as const);
  const artifacts = (count: number) =>
    Array.from({ length: count }, () => ({ path: "~".repeat(400), size: 1, sha256: "0" }));
  const long = summaryOf({ ...facts, denied: rows(100), artifacts: artifacts(100) });
  expect(long.includes("And 80 more hosts")).toBe(true);
  expect(long.includes("And 50 more files")).toBe(true);
  const tail = "@".repeat(60_000);
  const without = summaryOf({ ...facts, outputTail: tail });
  expect(without.includes("The output is left out")).toBe(true);
  const missing = Array.from({ length: 60 }, () => "~".repeat(400));
  const bare = summaryOf({
    ...facts,
    denied: rows(100),
    artifacts: artifacts(100),
    missing,
    outputTail: tail,
  });
  expect(bare.includes("And 97 more hosts")).toBe(true);
  for (const text of [long, without, bare])
    expect(Buffer.byteLength(text)).toBeLessThanOrEqual(summaryBytesMax);
});
