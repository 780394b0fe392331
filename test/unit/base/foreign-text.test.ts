import fc from "fast-check";
import { expect, test } from "vitest";
import { plainText, visibleText, withoutControls } from "../../../src/base/foreign-text.ts";

test("plain text has no control characters and keeps the words", () => {
  expect(plainText("\u001b[31ma\u001b[0m\rb\u0007\u001b]0;t\u0007c\td\u001b]8;;x\u001b\\e\n")).toBe(
    "a\nb\ufffdc\tde\n",
  );
});

test("whatever comes in, nothing that acts comes out", () => {
  const piece = fc.constantFrom(
    "\u001b[",
    "\u001b]8;;",
    "\u001b",
    "31m",
    "\u0007",
    "\r",
    "\u202e",
    "x",
  );
  const foreign = fc
    .array(fc.oneof(piece, fc.string({ unit: "binary" })))
    .map((all) => all.join(""));
  fc.assert(
    fc.property(foreign, (text) => {
      expect(visibleText(text)).not.toMatch(/(?![\t\n])[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u);
      expect(plainText(text)).not.toMatch(/(?![\t\n])\p{Cc}/u);
      expect(withoutControls(text)).toHaveLength(text.length);
    }),
  );
});

test("text that is plain stays as it is", () => {
  for (const text of ["a\tb\nc", "é 😀", "👩‍👧 family"]) {
    expect(plainText(text)).toBe(text);
    expect(withoutControls(text)).toBe(text);
  }
  expect(visibleText("a\u202eb")).toBe("a\ufffdb");
});
