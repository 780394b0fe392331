import fc from "fast-check";
import { expect, test } from "vitest";
import type { AuditRecord } from "../../../../src/egress/audit-event.ts";
import { auditLine } from "../../../../src/egress/audit-line.ts";
import { summarizeAudit } from "../../../../src/egress/audit-summary.ts";
import { type ModelUsage, usageMeter } from "../../../../src/egress/swap/usage.ts";

const events = [["content-type", "text/event-stream; charset=utf-8"]] as const;
const json = [["content-type", "application/json"]] as const;

/** What the meter makes of an answer that comes in these pieces. */
async function counted(
  fields: Parameters<typeof usageMeter>[0],
  text: string,
  sizes: readonly number[] = [],
): Promise<readonly ModelUsage[]> {
  const found: ModelUsage[] = [];
  const meter = usageMeter(fields, (usage) => found.push(usage));
  if (meter === null) return found;
  const bytes = Buffer.from(text);
  const passed: Buffer[] = [];
  meter.on("data", (chunk: Buffer) => passed.push(chunk));
  let at = 0;
  for (const size of [...sizes, bytes.length]) {
    if (at < bytes.length) meter.write(bytes.subarray(at, at + size));
    at += size;
  }
  await new Promise<void>((done) => meter.end(done));
  expect(Buffer.concat(passed).equals(bytes)).toBe(true);
  return found;
}

function eventStream(...documents: unknown[]): string {
  const lines = documents.map((each) => `event: x\r\ndata: ${JSON.stringify(each)}\r\n\r\n`);
  return `: a remark\n\n${lines.join("")}data: [DONE]\n\n`;
}

const anthropicStream = eventStream(
  {
    type: "message_start",
    message: {
      model: "claude-x",
      usage: { input_tokens: 11, cache_read_input_tokens: 100, output_tokens: 1 },
    },
  },
  { type: "content_block_delta", delta: { text: 'it says "usage": {"output_tokens": 9999}' } },
  { type: "message_delta", usage: { output_tokens: 7 } },
);

test.each([
  ["Anthropic, streamed", events, anthropicStream, ["claude-x", 111, 7]],
  [
    "Anthropic, whole",
    json,
    JSON.stringify({
      model: "claude-x",
      usage: { input_tokens: 3, cache_creation_input_tokens: 4, output_tokens: 2 },
    }),
    ["claude-x", 7, 2],
  ],
  [
    "OpenAI, streamed",
    events,
    eventStream(
      { model: "gpt-x", choices: [{ delta: {} }] },
      { model: "gpt-x", choices: [], usage: { prompt_tokens: 11, completion_tokens: 7 } },
    ),
    ["gpt-x", 11, 7],
  ],
  [
    "OpenAI's responses, streamed",
    events,
    eventStream({
      type: "response.completed",
      response: { model: "gpt-x", usage: { input_tokens: 5, output_tokens: 6 } },
    }),
    ["gpt-x", 5, 6],
  ],
  [
    "Gemini, streamed",
    events,
    eventStream(
      { modelVersion: "gemini-x", usageMetadata: { promptTokenCount: 11 } },
      {
        modelVersion: "gemini-x",
        usageMetadata: { promptTokenCount: 11, candidatesTokenCount: 7, thoughtsTokenCount: 2 },
      },
    ),
    ["gemini-x", 11, 9],
  ],
  [
    "Gemini, as a list",
    [["Content-Type".toLowerCase(), "application/json; charset=UTF-8"]] as const,
    JSON.stringify([
      { modelVersion: "gemini-x", usageMetadata: { promptTokenCount: 1, candidatesTokenCount: 2 } },
    ]),
    ["gemini-x", 1, 2],
  ],
])(
  "%s: the tokens of an answer are counted, however it is cut",
  async (_what, fields, text, said) => {
    const [model, inputTokens, outputTokens] = said;
    const wanted = [{ model, inputTokens, outputTokens }];
    expect(await counted(fields, text)).toEqual(wanted);
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 40 })), async (sizes) => {
        expect(await counted(fields, text, sizes)).toEqual(wanted);
      }),
      { numRuns: 50 },
    );
  },
);

test.each([
  [
    "a page",
    [["content-type", "text/html"]] as const,
    JSON.stringify({ usage: { input_tokens: 1 } }),
  ],
  ["no type", [], JSON.stringify({ usage: { input_tokens: 1 } })],
  ["an answer without counts", json, '{"ok":true,"usage":"much"}'],
  ["what is no JSON", json, '{"usage":{"input_tokens":1'],
  ["counts that are none", json, '{"usage":{"input_tokens":-1,"output_tokens":1e99}}'],
  ["a line without an end", events, `data: {"usage":${"9".repeat(3_000_000)}`],
  [
    "a document that is too large",
    json,
    `{"usage":{"input_tokens":1},"x":"${"y".repeat(3_000_000)}"}`,
  ],
  ["a list of a million", json, `[${"1,".repeat(400_000)}1]`],
])("%s counts for nothing and passes as it is", async (_what, fields, text) => {
  expect(await counted(fields, text, [10_000])).toEqual([]);
});

test("an answer that is broken off counts as far as it was told, once", async () => {
  const found: ModelUsage[] = [];
  const meter = usageMeter(events, (usage) => found.push(usage));
  meter?.resume();
  meter?.write(anthropicStream.slice(0, anthropicStream.indexOf("message_delta")));
  meter?.destroy();
  await expect
    .poll(() => found)
    .toEqual([{ model: "claude-x", inputTokens: 111, outputTokens: 1 }]);
});

test("a model without a name is counted, a name that is no text is no name", async () => {
  const usage = { input_tokens: 1, output_tokens: 1 };
  expect(await counted(json, JSON.stringify({ usage }))).toMatchObject([{ model: "" }]);
  expect(await counted(json, JSON.stringify({ model: { x: 1 }, usage }))).toMatchObject([
    { model: "" },
  ]);
});

test("answers are summed up by model, and names beyond a bound together", () => {
  const identity = { runtimeId: "w", sessionId: "s" };
  const recordOf = (model: string, at: number): AuditRecord => {
    const event = { event: "egress_usage", host: "h", dst: "", reason: "p" } as const;
    const counts = { model, input_tokens: 2, output_tokens: 1 };
    return JSON.parse(auditLine({ ...event, ...counts }, identity, 0, `00000000-${at}`));
  };
  const names = [...Array.from({ length: 60 }, (_, at) => `m${at}`), "m0", "", "a\u001b[2Jb"];
  const { usage_by_model: usage = {}, decision_count } = summarizeAudit(names.map(recordOf));
  expect(decision_count).toBe(0);
  expect(usage.m0).toEqual({ answers: 2, input_tokens: 4, output_tokens: 2 });
  expect(usage["(others)"]).toEqual({ answers: 12, input_tokens: 24, output_tokens: 12 });
  expect(Object.keys(usage)).toHaveLength(51);
  expect(summarizeAudit([recordOf("", 1)]).usage_by_model).toHaveProperty(["(unknown)"]);
  expect(recordOf("a\u001b[2Jb", 1).model).toBe("a\\x1b[2Jb");
  expect(summarizeAudit([])).not.toHaveProperty("usage_by_model");
});
