import { once } from "node:events";
import { request as httpRequest } from "node:http";
import type { Socket } from "node:net";
import { expect, test } from "vitest";
import { limits } from "../../../../src/base/limits.ts";
import { gateTo } from "../../../fixtures/gate-to.ts";
import {
  type Gate,
  getH1,
  getH2,
  guestTls,
  host,
  upstreamH1,
  upstreamH2,
} from "../../../fixtures/swap-gate.ts";

const early = "HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n";
const answer = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone";

/** Answers with so many 103s before the answer, and counts those that it could write. */
function hinting(count: number, sent: { count: number }) {
  const hints = async (socket: Socket) => {
    for (let i = 0; i < count && !socket.destroyed; i++) {
      sent.count += 1;
      if (!socket.write(early)) {
        await new Promise((resolve) => socket.once("drain", resolve).once("close", resolve));
      }
    }
    if (!socket.destroyed) socket.write(answer);
  };
  return upstreamH1(
    ({ socket }) => void hints(socket),
    undefined,
    (_message, socket) => void hints(socket),
  );
}

const hintingH2 = (count: number) =>
  upstreamH2((stream) => {
    for (let i = 0; i < count && !stream.destroyed; i++) {
      stream.additionalHeaders({ ":status": 103, link: "</a.css>" });
    }
    if (stream.destroyed) return;
    stream.respond({ ":status": 200 });
    stream.end("done");
  });

async function getUpgrade(gate: Gate): Promise<{ readonly status: number }> {
  const socket = await guestTls(gate, { ALPNProtocols: ["http/1.1"] });
  const request = httpRequest({
    createConnection: () => socket,
    headers: { host, connection: "Upgrade", upgrade: "websocket" },
  });
  request.end();
  const [message] = await once(request, "response");
  socket.destroy();
  return { status: message.statusCode };
}

const most = limits.egress.interimAnswersMax;
const ways = [
  ["a request over HTTP/1.1", getH1],
  ["a request over HTTP/2", getH2],
  ["a request to leave HTTP", getUpgrade],
] as const;

test.each(ways)("%s is not answered by 100,000 answers before the answer", async (_, get) => {
  const sent = { count: 0 };
  const gate = await gateTo(hinting(100_000, sent));
  expect((await get(gate)).status).toBe(502);
  expect(sent.count).toBeLessThan(100_000);
  expect(gate.events).toContainEqual({
    event: "egress_deny",
    host,
    dst: "",
    reason: `bad-upstream-answer: sent more than ${most} answers before the answer`,
    signal: "denied",
  });
});

test.each(ways)("%s may have as many as the limit allows, each time", async (_, get) => {
  const gate = await gateTo(hinting(most, { count: 0 }));
  expect((await get(gate)).status).toBe(200);
  expect((await get(gate)).status).toBe(200);
});

test("a server of HTTP/2 is counted alike", async () => {
  const few = await gateTo(hintingH2(most));
  expect((await getH2(few)).body).toBe("done");
  const many = await gateTo(hintingH2(most + 50));
  expect((await getH2(many)).status).toBe(502);
  expect((await getH1(many)).status).toBe(502);
  expect(JSON.stringify(many.events)).toContain("answers before the answer");
});

test("a request on a connection that was used before is not sent again", async () => {
  let requests = 0;
  const gate = await gateTo(
    upstreamH1(({ socket }) => {
      requests += 1;
      socket.write(requests === 1 ? answer : early.repeat(most + 1));
    }),
  );
  const socket = await guestTls(gate, { ALPNProtocols: ["http/1.1"] });
  let heard = "";
  socket.on("data", (part: Buffer) => {
    heard += part;
  });
  for (const end of ["done", "502 Bad Gateway"]) {
    socket.write(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
    while (!heard.includes(end)) await once(socket, "data");
  }
  expect(requests).toBe(2);
  socket.destroy();
});
