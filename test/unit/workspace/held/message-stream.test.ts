import { duplexPair } from "node:stream";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { withOp } from "../../../../src/base/op.ts";
import { MessageDecoder, MessageStream } from "../../../../src/workspace/held/message-stream.ts";

function decoded(decoder: MessageDecoder, bytes: Uint8Array, cuts: readonly number[]): unknown[] {
  const at = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b);
  const bounds = [0, ...at, bytes.length];
  return bounds.slice(1).flatMap((end, index) => decoder.push(bytes.subarray(bounds[index], end)));
}

describe("messages between a workspace's process and whoever starts it", () => {
  test("arrive whole, whatever the boundaries of the pieces", () => {
    fc.assert(
      fc.property(fc.array(fc.jsonValue()), fc.array(fc.nat()), (messages, cuts) => {
        // What JSON cannot tell apart is the same message.
        const sent = messages.map((each) => JSON.parse(JSON.stringify(each)) as unknown);
        const bytes = Buffer.from(sent.map((each) => `${JSON.stringify(each)}\n`).join(""));
        const decoder = new MessageDecoder();
        expect(decoded(decoder, bytes, cuts)).toEqual(sent);
        expect(decoder.isIdle).toBe(true);
      }),
    );
  });

  test("any other bytes are refused or kept within the bound, and nothing else happens", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), fc.array(fc.nat()), (bytes, cuts) => {
        const decoder = new MessageDecoder(64);
        try {
          decoded(decoder, bytes, cuts);
        } catch (error) {
          expect(error).toMatchObject({ code: "protocol_violation" });
        }
      }),
    );
  });

  test("one that is longer than its bound is refused before it is whole", () => {
    const decoder = new MessageDecoder(10);
    expect(decoder.push(Buffer.from("12345678"))).toEqual([]);
    expect(() => decoder.push(Buffer.from("901"))).toThrow("more than 10 bytes");
  });

  test("one that is cut off is told", async () => {
    const [ours, theirs] = duplexPair();
    theirs.end('{"half":');
    const reading = async () => {
      for await (const message of new MessageStream(ours).messages()) expect(message).toBeNull();
    };
    await expect(reading()).rejects.toMatchObject({ code: "protocol_violation" });
  });

  test("sending to somebody who has gone does nothing", async () => {
    const [ours, theirs] = duplexPair();
    theirs.destroy();
    ours.destroy();
    await withOp("send", { timeoutMs: 5_000 }, (op) => new MessageStream(ours).send(op, { a: 1 }));
    expect(ours.destroyed).toBe(true);
  });
});
