import fc from "fast-check";
import { expect, test } from "vitest";
import {
  encodeFrame,
  type Frame,
  FrameReader,
} from "../../../../../vitest-plugin/guest-pool/wire/frames.ts";

const reader = () => new FrameReader((what) => new RangeError(what));

const frames = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constant("message" as const), value: fc.object({ withMap: true }) }),
    fc.record({
      kind: fc.constantFrom("stdout" as const, "stderr" as const),
      value: fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
    }),
  ),
  { maxLength: 8 },
);

test("frames are the same however the stream is cut", () => {
  fc.assert(
    fc.property(frames, fc.array(fc.nat({ max: 60 })), (sent, cuts) => {
      const bytes = Buffer.concat(sent.map((frame) => encodeFrame(frame as Frame)));
      const read = reader();
      const got: Frame[] = [];
      let at = 0;
      for (const cut of cuts) {
        got.push(...read.push(bytes.subarray(at, at + cut)));
        at = Math.min(at + cut, bytes.length);
      }
      got.push(...read.push(bytes.subarray(at)));
      expect(got).toEqual(sent);
    }),
  );
});

test("errors, maps and what refers to itself go over", () => {
  const failure = new TypeError("why", { cause: new Map([["a", 1n]]) });
  const loop: { self?: unknown; failure: Error } = { failure };
  loop.self = loop;
  const [frame] = reader().push(encodeFrame({ kind: "message", value: loop }));
  const got = frame?.value as typeof loop;
  expect(got.self).toBe(got);
  expect(got.failure).toBeInstanceOf(TypeError);
  expect(got.failure.message).toBe("why");
});

test.each([
  ["a kind that is unknown", [99, 0, 0, 0, 0], /kind 99 is unknown/],
  ["more than fits", [0, 255, 255, 255, 255], /4294967295 bytes was announced/],
  ["a value that is none", [0, 0, 0, 0, 2, 7, 7], /"message" cannot be read/],
])("%s is refused", (_, bytes, message) => {
  expect(() => reader().push(Buffer.from(bytes))).toThrow(message);
});
