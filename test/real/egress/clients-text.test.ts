import { afterAll, beforeAll, expect, test } from "vitest";
import { openClientGate } from "../../fixtures/client-gate.ts";
import { type EchoServer, startEcho } from "../../fixtures/echo-server.ts";
import { opened, saidTo } from "../../support/said-to.ts";

const name = "echo.example.test";

let echo: EchoServer;
beforeAll(async () => {
  echo = await startEcho();
});
afterAll(async () => {
  await echo?.[Symbol.asyncDispose]();
});

/** Every byte there is, the first ones first. */
const everyByte = Uint8Array.from({ length: 256 }, (_, at) => at);

/** What `nc -N` sends: all of it, and then its end. */
const sent: readonly (readonly [string, readonly (string | Uint8Array)[]])[] = [
  ["a line", ["a line\n"]],
  ["text without a line's end", ["no line"]],
  ["three bytes", [Uint8Array.of(1, 2, 3)]],
  ["a zero byte", [Uint8Array.of(0)]],
  ["every byte", [everyByte]],
  ["300,000 bytes in pieces", Array.from({ length: 300 }, () => Buffer.alloc(1_000, everyByte))],
];

test.each(sent)(
  "%s, half closed, comes back where the port is listed; else the receipt says what to write",
  async (_what, pieces) => {
    const text = pieces.map((piece) => Buffer.from(piece as string).toString("latin1")).join("");
    const places = { [name]: echo.port };
    {
      await using gate = await openClientGate({ places, allow: [`${name}:7001`] });
      const got = await saidTo(await opened(await gate.entrance(name, 7001)), pieces);
      expect(got === text, got.slice(0, 100)).toBe(true);
      expect((await gate.audit()).complaints).toEqual([]);
    }
    await using gate = await openClientGate({ places, allow: [name] });
    expect(await saidTo(await opened(await gate.entrance(name, 7001)), pieces)).toBe("reset");
    expect((await gate.audit()).summary.allowable).toEqual([`${name}:7001`]);
  },
);
