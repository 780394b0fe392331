import { expect, test } from "vitest";
import type { ByteStream } from "../../../src/agent/guest-calls.ts";
import { type Pace, StreamDuplex } from "../../../src/egress/stream-duplex.ts";
import { inTime, settle } from "../channel/sessions.ts";

/** A guest that says `said` and ends; what it hears is kept. */
function guest(said: readonly string[]): { stream: ByteStream; heard: string[] } {
  const heard: string[] = [];
  const left = [...said];
  const stream: ByteStream = {
    read: async () => {
      const next = left.shift();
      return next === undefined ? null : Buffer.from(next);
    },
    unread: () => {},
    write: async (_op, bytes) => {
      heard.push(Buffer.from(bytes as Uint8Array).toString());
    },
    end: () => {},
    finish: () => {},
    reset: () => {},
    failed: false,
    onFailure: () => {},
  };
  return { stream, heard };
}

/** Holds every byte back until it is told. */
function heldPace(): { pace: Pace; free(): void; readonly asked: number[] } {
  const waiting: (() => void)[] = [];
  const asked: number[] = [];
  return {
    asked,
    pace: (_op, bytes) => {
      asked.push(bytes);
      return new Promise((resolve) => waiting.push(resolve));
    },
    free: () => waiting.shift()?.(),
  };
}

test("what an intercepted guest sends waits for the rate", async () => {
  await inTime(async (op) => {
    const { stream } = guest(["question"]);
    const held = heldPace();
    const duplex = new StreamDuplex(op, stream, () => true, held.pace);
    const seen: string[] = [];
    duplex.on("data", (piece: Buffer) => seen.push(piece.toString()));
    await settle();
    expect([held.asked, seen]).toEqual([[8], []]);
    held.free();
    await settle();
    expect(seen).toEqual(["question"]);
  });
});

test("what an intercepted guest is sent waits for the rate, and holds up what follows", async () => {
  await inTime(async (op) => {
    const { stream, heard } = guest([]);
    const held = heldPace();
    const duplex = new StreamDuplex(op, stream, () => true, held.pace);
    duplex.write("first");
    duplex.write("second");
    await settle();
    expect([held.asked, heard]).toEqual([[5], []]);
    held.free();
    await settle();
    expect([held.asked, heard]).toEqual([[5, 6], ["first"]]);
  });
});

test("without a rate nothing waits, and what is beyond the total ends the stream", async () => {
  await inTime(async (op) => {
    const { stream, heard } = guest([]);
    let left = 5;
    const count = (_direction: "sent" | "received", bytes: number) => {
      left -= bytes;
      return left >= 0;
    };
    const duplex = new StreamDuplex(op, stream, count);
    const failed = new Promise<Error>((resolve) => duplex.once("error", resolve));
    duplex.write("first");
    await settle();
    expect(heard).toEqual(["first"]);
    duplex.write("x");
    expect(await failed).toMatchObject({ code: "closed" });
    expect(heard).toEqual(["first"]);
  });
});
