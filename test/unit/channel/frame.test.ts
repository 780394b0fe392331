import fc from "fast-check";
import { expect, test } from "vitest";
import { isMicroagentError } from "../../../src/base/errors.ts";
import { decodeHeader, encodeHeader, type FrameHeader } from "../../../src/channel/frame.ts";
import { FrameDecoder } from "../../../src/channel/frame-decoder.ts";
import { checkProperty, chunksOf } from "./sessions.ts";

const anyFrame: fc.Arbitrary<{ header: FrameHeader; body: Buffer }> = fc.oneof(
  fc
    .record({
      streamId: fc.integer({ min: 1, max: 0xffff_ffff }),
      flags: fc.nat(15),
      body: fc.uint8Array({ maxLength: 300 }),
    })
    .map(({ streamId, flags, body }) => ({
      header: { type: 0 as const, flags, streamId, length: body.length },
      body: Buffer.from(body),
    })),
  fc
    .record({
      streamId: fc.integer({ min: 1, max: 0xffff_ffff }),
      flags: fc.nat(15),
      length: fc.nat(0xffff_ffff),
    })
    .map((fields) => ({ header: { type: 1 as const, ...fields }, body: Buffer.alloc(0) })),
  fc.record({ flags: fc.constantFrom(1, 2), length: fc.nat(0xffff_ffff) }).map((fields) => ({
    header: { type: 2 as const, streamId: 0, ...fields },
    body: Buffer.alloc(0),
  })),
  fc.nat(0xffff_ffff).map((length) => ({
    header: { type: 3 as const, streamId: 0, flags: 0, length },
    body: Buffer.alloc(0),
  })),
);

test("any frames survive any cutting of their bytes", async () => {
  await checkProperty(
    fc.asyncProperty(
      fc.array(anyFrame, { maxLength: 20 }),
      fc.array(fc.nat(), { maxLength: 40 }),
      async (frames, cuts) => {
        const bytes = Buffer.concat(
          frames.flatMap(({ header, body }) => [encodeHeader(header), body]),
        );
        const seen: { header: FrameHeader; body: Buffer; ended: boolean }[] = [];
        const decoder = new FrameDecoder({
          onHeader: (header) =>
            seen.push({ header, body: Buffer.alloc(0), ended: header.length === 0 }),
          onBody: (piece) => {
            const last = seen.at(-1);
            if (last !== undefined) last.body = Buffer.concat([last.body, piece]);
          },
          onBodyEnd: () => {
            const last = seen.at(-1);
            if (last !== undefined) last.ended = true;
          },
        });
        for (const chunk of chunksOf(bytes, cuts)) decoder.push(chunk);
        expect(decoder.idle).toBe(true);
        expect(seen.map(({ header, body }) => ({ header, body }))).toEqual(frames);
        expect(seen.every((frame) => frame.ended || frame.header.type !== 0)).toBe(true);
      },
    ),
    100,
  );
});

test("random headers are decoded or refused by name, nothing else", async () => {
  await checkProperty(
    fc.asyncProperty(fc.uint8Array({ minLength: 12, maxLength: 12 }), async (bytes) => {
      try {
        expect(encodeHeader(decodeHeader(Buffer.from(bytes)))).toEqual(Buffer.from(bytes));
      } catch (error) {
        if (!isMicroagentError(error)) throw error;
        expect(error.code).toBe("protocol_violation");
        expect(error.message).toMatch(/^The guest sent a frame with .+ "\d+", wanted .+/);
      }
    }),
    500,
  );
});

test.each([
  ["version", { 0: 1 }, 'version "1"'],
  ["type", { 1: 4 }, 'type "4"'],
  ["flags", { 2: 1 }, 'flags "256"'],
  ["oversized data", { 8: 255 }, 'data length "4278190080", wanted at most 1048576'],
  ["stream 0", { 7: 0 }, 'stream id of a data frame "0"'],
  ["a ping with an id", { 1: 2, 3: 1 }, 'stream id of a ping "5"'],
  ["a ping with two flags", { 1: 2, 3: 3, 7: 0 }, 'flags of a ping "3"'],
  ["a go-away with flags", { 1: 3, 3: 1, 7: 0 }, 'flags of a go-away "1"'],
])("a frame with a bad %s names what was found", (_name, changes, message) => {
  const bytes = encodeHeader({ type: 0, flags: 0, streamId: 5, length: 0 });
  for (const [at, value] of Object.entries(changes)) bytes[Number(at)] = value;
  expect(() => decodeHeader(bytes)).toThrow(message);
});
