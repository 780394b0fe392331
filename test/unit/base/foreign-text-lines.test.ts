import { expect, test } from "vitest";
import { MicroagentError } from "../../../src/base/errors.ts";
import { oneLine } from "../../../src/base/foreign-text.ts";
import { type Progress, startOp } from "../../../src/base/op.ts";
import { tableText } from "../../../src/cli/render/table.ts";

const hostile = "a\n::set-env name=x::y\r\u001b[31m\u0085\u2028\u202e\u200b\ud800";
const unfit = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u;

test("text of others is one visible line of a bounded length", () => {
  expect(oneLine(hostile)).not.toMatch(unfit);
  expect(oneLine("a\nb\u202e")).toBe("a\\x0ab\\u{202e}");
  expect(oneLine("x".repeat(500)).length).toBe(203);
  expect(oneLine("\u00e4\u{1f600}")).toBe("\u00e4\u{1f600}");
});

test("no error holds more than one line, in its message and in its hint", () => {
  const error = new MicroagentError("image_corrupt", `Bad "${hostile}"`, {
    hint: `${hostile}${"h".repeat(1_000_000)}`,
  });
  expect(error.message).not.toMatch(unfit);
  expect(error.hint).not.toMatch(unfit);
  expect(error.hint?.length).toBeLessThan(5_000);
});

test("notes, warnings and labels reach every listener as one line", () => {
  const told: Progress[] = [];
  const { op, end } = startOp("test", { onProgress: (event) => told.push(event) });
  op.report({ kind: "note", text: hostile });
  op.report({ kind: "warning", text: hostile });
  op.report({ kind: "amount", label: hostile, done: 1, total: null, unit: "items" });
  end();
  const texts = told.map((event) =>
    "text" in event ? event.text : "label" in event ? event.label : "",
  );
  expect(texts.length).toBe(3);
  for (const text of texts) expect(text).not.toMatch(unfit);
});

test("a cell of a table cannot begin another row", () => {
  expect(tableText(["A", "B"], [[hostile, hostile]]).split("\n").length).toBe(3);
});
