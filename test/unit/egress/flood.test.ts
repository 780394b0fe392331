import { createSocket } from "node:dgram";
import fc from "fast-check";
import { expect, test } from "vitest";
import { limits } from "../../../src/base/limits.ts";
import type { Clock } from "../../../src/base/op.ts";
import { NameTable } from "../../../src/egress/name-table.ts";
import { settle } from "../channel/sessions.ts";
import { mapped, query, withNetwork, withServer } from "./guest-network.ts";

const tcpLine = (dst: string) => `${JSON.stringify({ op: "tcp", dst, port: 80, src_port: 1 })}\n`;

test("a thousand connections, two hundred at once, leave no stream and no socket", async () => {
  let sockets = 0;
  const onConnection = (socket: import("node:net").Socket) => {
    sockets += 1;
    socket.on("close", () => {
      sockets -= 1;
    });
    socket.pipe(socket);
  };
  await withServer(onConnection, async (port) => {
    await withNetwork({ policy: { hostMap: mapped({ "api.test": port }) } }, async (network) => {
      await network.lookUp("api.test");
      for (let round = 0; round < 5; round++) {
        await Promise.all(
          Array.from({ length: 200 }, async (_, at) => {
            const connection = await network.tcp("198.18.0.1", 8080);
            expect(connection.answer.ok).toBe(true);
            await connection.write("ping\n");
            expect(await connection.read()).toBe("ping\n");
            if (at % 2 === 0) connection.stream.reset();
            else {
              connection.stream.end();
              await connection.readAll();
            }
          }),
        );
      }
      while (sockets > 0 || network.host.streamCount > 0) await settle();
      expect(network.host.failure).toBeNull();
    });
  });
});

test("a flood of forged opens is answered, and an honest call goes through afterwards", async () => {
  await withServer(
    (socket) => socket.pipe(socket),
    async (port) => {
      await withNetwork({ policy: { hostMap: mapped({ "api.test": port }) } }, async (network) => {
        await network.lookUp("api.test");
        const lines = fc
          .sample(
            fc.oneof(
              fc.string({ maxLength: 50 }).map((text) => `${text}\n`),
              fc.ipV4().map(tcpLine),
              fc.ipV6().map(tcpLine),
              fc.constant('{"op":"dns","dst":"1.1.1.1","transport":"udp"}\n\u0000\u0003abc'),
              fc.constant('{"op":"udp","dst":"127.0.0.1","port":9,"src_port":1}\n'),
            ),
            // Public addresses would be dialled for real.
            { numRuns: 2_000, seed: 7 },
          )
          .map((line) =>
            line
              .replace(/"dst":"\d+\.\d+/, '"dst":"10.0')
              .replace(/"dst":"[0-9a-f]*:/i, '"dst":"fd00:'),
          );
        for (const line of lines) {
          const stream = await network.guest.open(network.op, Buffer.from(line));
          stream.reset();
          expect(network.host.streamCount).toBeLessThanOrEqual(limits.channel.inboundStreamsMax);
        }
        const connection = await network.tcp("198.18.0.1", 8080);
        await connection.write("still here\n");
        expect(await connection.read()).toBe("still here\n");
      });
    },
  );
});

test("a UDP flow carries datagrams both ways, whole", async () => {
  const server = createSocket("udp4");
  server.on("message", (message, from) => server.send(message, from.port, from.address));
  await new Promise<void>((resolve) => server.bind(0, "127.0.0.1", resolve));
  const { port } = server.address();
  await withNetwork({ policy: { hostMap: mapped({ "udp.test": port }) } }, async (network) => {
    await network.lookUp("udp.test");
    const flow = await network.udp("198.18.0.1", 5000);
    expect(flow.answer).toEqual({ ok: true });
    const frame = (text: string) =>
      `${String.fromCharCode(text.length >> 8, text.length & 0xff)}${text}`;
    await flow.write(Buffer.from(frame("one") + frame("second"), "latin1"));
    let heard = "";
    while (heard.length < 13) heard += await flow.read();
    expect(heard).toBe(frame("one") + frame("second"));
    flow.stream.reset();
    const events = await network.events();
    expect(events.map(({ event }) => event).slice(2)).toEqual([
      "egress_udp_allow",
      "egress_udp_close",
    ]);
  });
  await new Promise<void>((resolve) => server.close(() => resolve()));
});

test("questions that never end, or say nothing, cost one stream each and no more", async () => {
  await withNetwork({}, async (network) => {
    const line = '{"op":"dns","dst":"10.0.2.3","transport":"udp"}\n';
    const streams = [];
    for (let at = 0; at < 200; at++) {
      const { stream } = await network.open(line);
      await stream.write(network.op, Buffer.from([0xff, 0xff, 1, 2, 3]));
      streams.push(stream);
    }
    const answer = await network.dns("none.test");
    expect(answer.readUInt16BE(0)).toBe(query("none.test", 1).readUInt16BE(0));
    for (const stream of streams) stream.reset();
    while (network.host.streamCount > 0) await settle();
  });
});

test("the table of names forgets: by time, and the oldest beyond its size", () => {
  let now = 0;
  const clock: Clock = { now: () => now, monotonic: () => now, after: () => () => {} };
  const names = new NameTable(clock);
  names.add("a.test", ["1.1.1.1", "1.1.1.2"], 1);
  names.add("b.test", ["1.1.1.1"], 86_400);
  expect(names.namesOf("1.1.1.1")).toEqual(["a.test", "b.test"]);
  now = 11 * 60_000;
  expect(names.gave("a.test", "1.1.1.1")).toBe(false);
  expect(names.namesOf("1.1.1.1")).toEqual(["b.test"]);
  expect(names.addressesOf("a.test")).toEqual([]);
  for (let at = 0; at < 5_000; at++) names.add(`n${at}.test`, [`10.0.${at >> 8}.${at & 255}`], 60);
  expect(names.gave("b.test", "1.1.1.1")).toBe(false);
  expect(names.gave("n4999.test", "10.0.19.135")).toBe(true);
  for (let at = 0; at < 100; at++) names.add("many.test", [`10.9.0.${at}`], 60);
  expect(names.addressesOf("many.test")).toHaveLength(64);
  expect(names.gave("many.test", "10.9.0.99")).toBe(true);
});
