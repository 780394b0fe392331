import { expect, test } from "vitest";
import { Redactions } from "../../../src/secret/redaction.ts";
import { Secret } from "../../../src/secret/secret.ts";

const redactions = (...values: string[]) => {
  const all = new Redactions();
  for (const value of values) all.add(new Secret(Buffer.from(value)));
  return all;
};

test("values go, the longest first, wherever they are", () => {
  const both = redactions("swordfish", "swordfish-extended\n");
  expect(both.apply("swordfish-extended, swordfishswordfish")).toBe("***, ******");
  expect(redactions("a$&b").apply("a$&b")).toBe("***");
});

test("the lines of a key go one by one; what is short stays", () => {
  const key = "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQ\nshort\n-----END KEY-----\n";
  expect(redactions(key).apply("x MIIEvQIBADANBgkqhkiG9w0BAQ y short")).toBe("x *** y short");
  expect(redactions("abc").apply("abc abc")).toBe("abc abc");
});

test("bytes that are no text change nothing", () => {
  const all = new Redactions();
  all.add(new Secret(Uint8Array.of(0xff, 0x61, 0x62, 0x63, 0x64)));
  expect(all.apply("abcd")).toBe("abcd");
});
