import { once } from "node:events";
import { connect as connectH2 } from "node:http2";
import { expect, test } from "vitest";
import { getH1, guestTls, host, openGate, upstreamH1 } from "../../../fixtures/swap-gate.ts";

test("guests and servers that break off at any moment harm nobody else", async () => {
  let count = 0;
  const server = await upstreamH1((message, response) => {
    message.resume();
    response.on("error", () => {});
    response.write("x".repeat(100_000));
    if (message.url === "/kept") return void response.end();
    count += 1;
    if (count % 3 === 0) response.destroy();
    else if (count % 3 === 1) setImmediate(() => response.end());
  });
  const gate = await openGate({ upstreamPort: server.port });
  const text = `POST / HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 100000\r\n\r\n${"y".repeat(100_000)}`;
  const pause = (turns: number) =>
    Array.from({ length: turns }).reduce<Promise<void>>(
      (before) => before.then(() => new Promise((resolve) => setImmediate(resolve))),
      Promise.resolve(),
    );
  const breakOff = async (i: number) => {
    const socket = await guestTls(gate, { ALPNProtocols: [i % 2 === 0 ? "h2" : "http/1.1"] });
    socket.on("error", () => {});
    if (i % 2 === 0) {
      const session = connectH2(`https://${host}`, { createConnection: () => socket });
      session.on("error", () => {});
      const stream = session.request({ ":method": "POST" });
      stream.on("error", () => {});
      stream.resume();
      stream.write("y".repeat(1000 * i));
    } else {
      socket.write(text.slice(0, i * 1000));
      socket.resume();
    }
    await pause(i);
    socket.destroy();
  };
  await Promise.all(Array.from({ length: 60 }, (_, i) => breakOff(i)));
  const answer = await getH1(gate, { path: "/kept" });
  expect([answer.status, answer.body.length]).toEqual([200, 100_000]);
  const socket = await guestTls(gate);
  socket.destroy();
  await once(socket, "close");
  // Every flow ends with its guest; this waits for all of them.
  await gate.close();
  server.close();
});
