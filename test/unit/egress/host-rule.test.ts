import fc from "fast-check";
import { expect, test } from "vitest";
import { parseAddress } from "../../../src/egress/address.ts";
import {
  canonicalName,
  listsAddress,
  listsName,
  parseHostRule,
} from "../../../src/egress/host-rule.ts";
import { rules } from "../../support/egress-policy.ts";

test.each([
  ["api.example.com", "api.example.com", 443, true],
  ["API.Example.COM.", "api.example.com", 443, true],
  ["api.example.com", "x.api.example.com", 443, false],
  [".example.com", "example.com", 80, true],
  [".example.com", "a.b.example.com", 80, true],
  [".example.com", "badexample.com", 80, false],
  ["api.example.com:8443", "api.example.com", 8443, true],
  ["api.example.com:8443", "api.example.com", 443, false],
  ["ftp.example:40000-40010", "ftp.example", 40_000, true],
  ["ftp.example:40000-40010", "ftp.example", 40_010, true],
  ["ftp.example:40000-40010", "ftp.example", 40_011, false],
  [".example:1-3", "a.example", 2, true],
  ["bücher.example", "xn--bcher-kva.example", 443, true],
  ["_dmarc.example.com", "_dmarc.example.com", 443, true],
])("rule %s and name %s:%s: %s", (rule, name, port, listed) => {
  expect(listsName(rules(rule), name, port)).toBe(listed);
});

test("an address is a rule in every spelling, with a port in brackets", () => {
  const inside = parseAddress("fd00::1");
  const four = parseAddress("10.0.0.5");
  if (inside === null || four === null) throw new TypeError("not an address");
  expect(listsAddress(rules("[FD00:0::1]:8080"), inside, 8080)).toBe(true);
  expect(listsAddress(rules("[fd00::1]:8080"), inside, 80)).toBe(false);
  expect(listsAddress(rules("fd00::1"), inside, 80)).toBe(true);
  expect(listsAddress(rules("10.0.0.5:22"), four, 22)).toBe(true);
  expect(listsName(rules("10.0.0.5"), "10.0.0.5", 22)).toBe(false);
});

test.each([
  "",
  ".",
  "*.example.com",
  "https://x.y",
  "10.0.0.0/8",
  "a b",
  "x:0",
  "x:70000",
  "[1.2.3.4",
  "127.1",
  "-x.y",
  "good.test#.evil.test",
  "good.test?.evil.test",
  "good.test/x",
  "good.test\\x",
  "good%2etest",
  "user@good.test",
  " good.test",
  "good.test\t",
  "good\u00a0.test",
  "good.test\uff0fx",
  "good.test:5-4",
  "good.test:5-5",
  "good.test:5-70000",
  "good.test:5-",
])("%j is refused with a sentence", (text) => {
  expect(parseHostRule(text)).toMatch(/^Host ".*" .*expected/);
});

test("names that are addresses in disguise are no names", () => {
  for (const text of ["127.1", "0x7f.1", "1", "2130706433", "x.0x1"])
    expect(canonicalName(text)).toBeNull();
});

test("a canonical name is its own canonical name, and a rule for it lists it", () => {
  fc.assert(
    fc.property(fc.oneof(fc.domain(), fc.string()), (text) => {
      const name = canonicalName(text);
      if (name === null) return;
      expect(canonicalName(name)).toBe(name);
      expect(listsName(rules(name), name, 1)).toBe(true);
      expect(listsName(rules(`.${name}`), `www.${name}`, 1)).toBe(true);
    }),
  );
});
