import { once } from "node:events";
import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { expect, test } from "vitest";
import { limits } from "../../../src/base/limits.ts";
import { openClientGate } from "../../fixtures/client-gate.ts";
import { startEcho } from "../../fixtures/echo-server.ts";
import { startWeb } from "../../fixtures/web-server.ts";
import { type ManualClock, manualClock } from "../../support/manual-clock.ts";
import { opened } from "../../support/said-to.ts";

const names = {
  text: "echo.example.test",
  secure: "web.example.test",
  plain: "plain.example.test",
};

/** Lets time pass for the gate, with turns in which it can do what it does then. */
async function pass(clock: ManualClock, ms: number): Promise<void> {
  const stepMs = 5_000;
  for (let left = ms; left > 0; left -= stepMs) {
    clock.advance(Math.min(left, stepMs));
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
  }
}

/** Collects what a connection hears. */
function listenTo(socket: Socket) {
  let text = "";
  let isOver = false;
  socket.on("data", (piece: Buffer) => {
    text += piece.toString("latin1");
  });
  socket.on("error", () => {});
  socket.once("close", () => {
    isOver = true;
  });
  return { socket, text: () => text, isOver: () => isOver };
}

test("two minutes of silence cut nothing: text, TLS, an answer that waits, and before the first byte; an hour does", async () => {
  let held: ServerResponse | undefined;
  await using echo = await startEcho();
  await using secure = await startWeb({ speaks: "https" });
  await using plain = await startWeb({
    speaks: "http",
    instead: ({ url }, response) => {
      if (url !== "/late") return false;
      held = response as ServerResponse;
      held.writeHead(200, { "content-length": 8 });
      return true;
    },
  });
  const clock = manualClock();
  await using gate = await openClientGate({
    places: {
      [names.text]: echo.port,
      [names.secure]: secure.port,
      [names.plain]: plain.port,
    },
    allow: [`${names.text}:7001`, names.secure, names.plain],
    clock,
  });
  const get = (path: string, of: string) => `GET ${path} HTTP/1.1\r\nHost: ${of}\r\n\r\n`;
  const text = listenTo(await opened(await gate.entrance(names.text, 7001)));
  const tls = { name: names.secure, caFile: gate.caFile };
  const quiet = listenTo(await opened(await gate.entrance(names.secure, 443), tls));
  const late = listenTo(await opened(await gate.entrance(names.plain, 80)));
  const mute = listenTo(await opened(await gate.entrance(names.plain, 80)));
  await once(mute.socket, "connect");
  text.socket.write("before\n");
  late.socket.write(get("/late", names.plain));
  await expect.poll(() => held !== undefined).toBe(true);
  // A line that could be anything waits for two seconds.
  await expect
    .poll(async () => {
      await pass(clock, 100);
      return text.text();
    })
    .toBe("before\n");

  await pass(clock, 120_000);
  text.socket.write("after\n");
  quiet.socket.write(get("/quiet", names.secure));
  held?.end("answered");
  mute.socket.write(get("/mute", names.plain));
  await expect.poll(text.text).toBe("before\nafter\n");
  await expect.poll(quiet.text).toContain("GET /quiet HTTP/1.1 0\n");
  await expect.poll(late.text).toMatch(/\r\n\r\nanswered$/);
  await expect.poll(mute.text).toContain("GET /mute HTTP/1.1 0\n");

  // The clock is the gate's own: all of them are cut when the limit is over.
  expect([text, quiet, late, mute].some((one) => one.isOver())).toBe(false);
  await pass(clock, limits.egress.tcpIdleMs + 60_000);
  await expect
    .poll(() => [text, quiet, late, mute].map((one) => one.isOver()))
    .toEqual([true, true, true, true]);
});
