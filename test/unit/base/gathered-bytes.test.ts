import { describe, expect, test } from "vitest";
import { GatheredBytes } from "../../../src/base/gathered-bytes.ts";
import { Capture } from "../../../src/workspace/capture.ts";

test("pieces of every size come back in one, in order", () => {
  const gathered = new GatheredBytes();
  const all: Buffer[] = [];
  for (const size of [0, 1, 3, 1_023, 1_024, 5, 70_000, 0, 2_000_000, 1]) {
    const piece = Buffer.alloc(size, all.length + 1);
    all.push(piece);
    expect(gathered.add(piece)).toBe(true);
  }
  expect(gathered.addZeros(3_000_000)).toBe(true);
  const expected = Buffer.concat([...all, Buffer.alloc(3_000_000)]);
  expect(gathered.length).toBe(expected.length);
  expect(gathered.bytes().equals(expected)).toBe(true);
});

test("what is beyond the cap is left out, and told", () => {
  const gathered = new GatheredBytes(5);
  expect(gathered.add(Buffer.from("abc"))).toBe(true);
  expect(gathered.add(Buffer.from("def"))).toBe(false);
  expect(gathered.add(Buffer.from("g"))).toBe(false);
  expect(gathered.add(Buffer.alloc(0))).toBe(true);
  expect(gathered.addZeros(1)).toBe(false);
  expect(gathered.bytes().toString()).toBe("abcde");
  expect(new GatheredBytes(0).add(Buffer.from("a"))).toBe(false);
});

test("a piece is a copy: its buffer may be used again", () => {
  const gathered = new GatheredBytes();
  const piece = Buffer.from("abc");
  gathered.add(piece);
  piece.fill("x");
  expect(gathered.bytes().toString()).toBe("abc");
});

describe("a megabyte that comes byte by byte costs megabytes, not a hundred of them", () => {
  const total = 1024 * 1024;
  const one = Uint8Array.of(0x61);

  test.each<[string, () => { add(data: Uint8Array): unknown }]>([
    ["in gathered bytes", () => new GatheredBytes()],
    ["in captured output", () => new Capture(total)],
  ])("%s", (_what, create) => {
    const before = process.memoryUsage();
    const kept = create();
    for (let count = 0; count < total; count++) kept.add(one);
    const after = process.memoryUsage();
    const cost = after.heapUsed + after.external - before.heapUsed - before.external;
    expect(cost).toBeLessThan(64 * total);
    kept.add(one);
  });
});
