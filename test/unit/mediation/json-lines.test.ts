import fc from "fast-check";
import { expect, test } from "vitest";
import { encodeMessage, readMessages } from "../../../src/mediation/json-lines.ts";

async function* pieces(bytes: Uint8Array, sizes: readonly number[]): AsyncGenerator<Uint8Array> {
  let at = 0;
  for (const size of sizes) {
    if (at >= bytes.length) return;
    yield bytes.subarray(at, at + size);
    at += size;
  }
  if (at < bytes.length) yield bytes.subarray(at);
}

async function all(bytes: Uint8Array, sizes: readonly number[] = []): Promise<unknown[]> {
  const found: unknown[] = [];
  for await (const value of readMessages(pieces(bytes, sizes))) found.push(value);
  return found;
}

test("what was encoded is read again, however it is cut up", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.jsonValue(), { maxLength: 5 }),
      fc.array(fc.integer({ min: 1, max: 9 })),
      async (values, sizes) => {
        const bytes = Buffer.concat(values.map((value) => encodeMessage(value)));
        expect(await all(bytes, sizes)).toEqual(JSON.parse(JSON.stringify(values)));
      },
    ),
  );
});

test("a probe that connects and closes says nothing; blank lines are nothing", async () => {
  expect(await all(Buffer.from(""))).toEqual([]);
  expect(await all(Buffer.from("\n \r\n{}\r\n\n"))).toEqual([{}]);
});

test.each([
  ["no JSON", Buffer.from("swordfish\n"), "sent a line that is not JSON"],
  ["not UTF-8", Buffer.from([0x22, 0xff, 0x22, 0x0a]), "sent a line that is not JSON"],
  ["cut off", Buffer.from('{"a":1'), "ended in the middle of a message"],
])("%s is refused and not repeated", async (_, bytes, what) => {
  const error = await all(bytes).catch((reason: unknown) => reason);
  expect(error).toMatchObject({
    code: "protocol_violation",
    message: `The other side of the mediation channel ${what}`,
  });
  expect(JSON.stringify(error, Object.getOwnPropertyNames(error))).not.toContain("swordfish");
});

test("an endless line is refused at its cap, not when memory is full", async () => {
  let sent = 0;
  async function* endless(): AsyncGenerator<Uint8Array> {
    for (;;) {
      sent += 65_536;
      yield Buffer.alloc(65_536, "x");
    }
  }
  await expect(readMessages(endless()).next()).rejects.toMatchObject({
    code: "protocol_violation",
  });
  expect(sent).toBeLessThanOrEqual(1024 * 1024 + 2 * 65_536);
  expect(() => encodeMessage("x".repeat(1024 * 1024))).toThrow(/at most 1048576/);
});
