import fc from "fast-check";
import { expect, test } from "vitest";
import { wireName } from "../../../src/egress/wire-name.ts";

test.each([
  ["Good.TEST", "good.test"],
  ["good.test.", "good.test"],
  ["_dmarc.good-1.test", "_dmarc.good-1.test"],
  ["xn--bcher-kva.example", "xn--bcher-kva.example"],
  [`${"a".repeat(63)}.test`, `${"a".repeat(63)}.test`],
])("%j is compared as %s", (text, name) => {
  expect(wireName(text)).toBe(name);
});

test.each([
  "",
  ".",
  "good.test..",
  ".good.test",
  "good..test",
  "good.test#.evil.test",
  "good.test?.evil.test",
  "good.test/.evil.test",
  "good.test\\.evil.test",
  "good.test@evil.test",
  "good%2etest",
  "go\u00adod.test",
  "g\u00f6od.test",
  "good.test\0.evil.test",
  " good.test",
  "good.test\x0b",
  "good.test\xa0",
  "good.test:443",
  "127.1",
  "0x7f.0x1",
  "1",
  "a".repeat(64),
  Array(64).fill("abc").join("."),
])("%j is malformed", (text) => {
  expect(wireName(text)).toBeNull();
});

test("nothing but case and one trailing dot is ever changed", () => {
  fc.assert(
    fc.property(fc.oneof(fc.domain(), fc.string({ unit: "binary-ascii" })), (text) => {
      const name = wireName(text);
      if (name === null) return;
      expect([name, `${name}.`]).toContain(text.toLowerCase());
      expect(wireName(name)).toBe(name);
    }),
  );
});
