import { type EventEmitter, once } from "node:events";
import { connect as connectH2, constants } from "node:http2";
import { expect, test } from "vitest";
import { gateTo } from "../../../fixtures/gate-to.ts";
import { type Gate, guestTls, host, upstreamH1, upstreamH2 } from "../../../fixtures/swap-gate.ts";

const MiB = 1024 * 1024;

/** Waits until more can be written, or never can. */
async function drained(stream: EventEmitter): Promise<void> {
  const over = new AbortController();
  const { signal } = over;
  await Promise.race([once(stream, "drain", { signal }), once(stream, "close", { signal })]);
  over.abort();
}

/** A client that sends all of its body before it looks at the answer, as simple ones do. */
async function sendH1(gate: Gate, bytes: number): Promise<string> {
  const socket = await guestTls(gate, {
    ALPNProtocols: ["http/1.1"],
    allowHalfOpen: true,
  } as object);
  let failed = "";
  socket.on("error", (error) => {
    failed = String(error);
  });
  socket.write(`PUT / HTTP/1.1\r\nHost: ${host}\r\nContent-Length: ${bytes}\r\n\r\n`);
  for (let sent = 0; sent < bytes && failed === ""; sent += 65_536) {
    if (!socket.write(Buffer.alloc(65_536))) {
      await drained(socket);
    }
  }
  if (failed !== "") return failed;
  let text = "";
  for await (const part of socket) text += part;
  socket.destroy();
  return `${text.slice(9, 12)} ${/too large|microagent: /.exec(text)?.[0]}`;
}

async function sendH2(gate: Gate, bytes: number): Promise<string> {
  const socket = await guestTls(gate, { ALPNProtocols: ["h2"] });
  const session = connectH2(`https://${host}`, { createConnection: () => socket });
  const stream = session.request({ ":method": "PUT", ":path": "/" });
  let failed = "";
  stream.on("error", (error) => {
    failed = String(error);
  });
  const answered = once(stream, "response");
  answered.catch(() => {});
  let body = "";
  stream.on("data", (part) => {
    body += part;
  });
  const ended = once(stream, "end");
  for (let sent = 0; sent < bytes && failed === "" && !stream.destroyed; sent += 65_536) {
    if (!stream.write(Buffer.alloc(65_536))) {
      await drained(stream);
    }
  }
  if (!stream.destroyed) stream.end();
  await ended;
  const [given] = await answered;
  session.destroy();
  return failed === "" ? `${given[":status"]} ${body}` : failed;
}

const servers = [
  [
    "HTTP/1.1, which closes at once",
    () =>
      upstreamH1((message, response) => {
        response.writeHead(413, { connection: "close", "content-length": "9" });
        response.end("too large", () => message.socket.destroySoon());
      }),
  ],
  [
    "HTTP/1.1, which reads no further",
    () =>
      upstreamH1((message, response) => {
        message.pause();
        response.writeHead(413, { "content-length": "9" });
        response.end("too large");
      }),
  ],
  [
    "HTTP/2, which resets without an error",
    () =>
      upstreamH2((stream) => {
        stream.respond({ ":status": 413 });
        stream.end("too large", () => stream.close(constants.NGHTTP2_NO_ERROR));
      }),
  ],
] as const;

const clients = [
  ["HTTP/1.1", sendH1],
  ["HTTP/2", sendH2],
] as const;

for (const [server, make] of servers) {
  for (const [client, send] of clients) {
    test.each([2, 20])(
      `an answer that comes before the end of %i MiB reaches a client of ${client} from a server of ${server}`,
      async (size) => {
        const gate = await gateTo(make(), { asStream: true });
        expect(await send(gate, size * MiB)).toBe("413 too large");
      },
    );
  }
}

test.each(clients)(
  "a refusal of our own reaches a client of %s that still sends",
  async (_, send) => {
    const gate = await gateTo(
      upstreamH1((_message, response) => void response.end()),
      {
        resolveSecret: async () => {
          throw new Error("down");
        },
      },
    );
    expect(await send(gate, 4 * MiB)).toMatch(/^502 microagent: /);
  },
);
