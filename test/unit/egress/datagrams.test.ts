import { expect, test } from "vitest";
import type { ByteStream } from "../../../src/agent/guest-calls.ts";
import { withOp } from "../../../src/base/op.ts";
import { DatagramReader, framed } from "../../../src/egress/datagrams.ts";
import { goldenBytes } from "../../support/golden-bytes.ts";

/** Datagrams and their bytes in a stream, which the guest's tests read too. */
const { datagrams } = goldenBytes("guest-calls.json") as {
  readonly datagrams: readonly { name: string; payload: string; hex: string }[];
};

/** A stream that gives those bytes one by one. */
function dripping(hex: string): Pick<ByteStream, "read"> {
  const bytes = [...Buffer.from(hex, "hex")];
  return {
    async read() {
      const byte = bytes.shift();
      return byte === undefined ? null : Uint8Array.of(byte);
    },
  };
}

test.each(datagrams)("$name is framed so", ({ payload, hex }) => {
  expect(Buffer.concat(framed(Buffer.from(payload, "hex"))).toString("hex")).toBe(hex);
});

test("datagrams are read as they were framed, and one that is cut off is dropped", async () => {
  const all = datagrams.map(({ hex }) => hex).join("");
  const reader = new DatagramReader(dripping(`${all}0002ff`) as ByteStream);
  await withOp("test", { timeoutMs: 20_000 }, async (op) => {
    for (const { payload } of datagrams) {
      expect(Buffer.from((await reader.next(op)) ?? "none").toString("hex")).toBe(payload);
    }
    expect(await reader.next(op)).toBeNull();
  });
});
