import { expect, test } from "vitest";
import { DetachKeys } from "../../../src/cli/detach-keys.ts";
import { durationFlag } from "../../../src/cli/duration-flag.ts";

test.each([
  ["90", 90_000],
  ["1.5", 1500],
  ["500ms", 500],
  ["90s", 90_000],
  ["1m30s", 90_000],
  ["1h", 3_600_000],
  ["0", 0],
])("a duration of %s", (text, ms) => {
  expect(durationFlag("--timeout", text)).toBe(ms);
});

test.each(["", "s", "1x", "-1", "1 s", "1e9", "1m30"])("no duration: %j", (text) => {
  expect(() => durationFlag("--timeout", text)).toThrow("of --timeout is not acceptable");
});

test.each<[string, readonly number[][], readonly number[], boolean]>([
  ["ordinary keys", [[97], [98, 13]], [97, 98, 13], false],
  ["Ctrl-]", [[97, 0x1d, 98]], [97], true],
  ["Ctrl-P Ctrl-Q, in two pieces", [[0x10], [0x11]], [], true],
  ["Ctrl-P and another key", [[0x10], [98]], [0x10, 98], false],
  ["Ctrl-P twice, then Ctrl-Q", [[0x10, 0x10, 0x11]], [0x10], true],
])("%s", (_what, pieces, sent, detached) => {
  const keys = new DetachKeys();
  const taken = pieces.map((piece) => keys.take(Uint8Array.from(piece)));
  expect(taken.flatMap((each) => [...each.send])).toEqual(sent);
  expect(taken.some((each) => each.detach)).toBe(detached);
});
