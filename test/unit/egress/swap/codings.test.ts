import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { request as httpRequest, type IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { Readable } from "node:stream";
import { setImmediate, setTimeout } from "node:timers/promises";
import {
  brotliCompressSync,
  constants,
  createGzip,
  deflateRawSync,
  deflateSync,
  gzipSync,
} from "node:zlib";
import { expect, test } from "vitest";
import { decodersOf } from "../../../../src/egress/swap/codings.ts";
import { gateTo } from "../../../fixtures/gate-to.ts";
import {
  type Gate,
  getH1,
  getH2,
  guestTls,
  host,
  realKey,
  upstreamH1,
} from "../../../fixtures/swap-gate.ts";

const text = `a ${realKey} b`;
const stars = `a ${"*".repeat(realKey.length)} b`;
const zstd = (input: Buffer | string) => execFileSync("zstd", ["-c", "-q"], { input });

const readable = [
  ["gzip", gzipSync(text)],
  ["x-gzip", gzipSync(text)],
  ["GZIP", gzipSync(text)],
  [" gzip ,, ", gzipSync(text)],
  ["deflate", deflateSync(text)],
  ["deflate", deflateRawSync(text)],
  ["br", brotliCompressSync(text)],
  ["zstd", zstd(text)],
  ["zstd", Buffer.concat([zstd(text.slice(0, 9)), zstd(text.slice(9))])],
  ["gzip, br", brotliCompressSync(gzipSync(text))],
  ["br, zstd", zstd(brotliCompressSync(text))],
  ["identity", Buffer.from(text)],
] as const;

/** A request that asks to leave HTTP, and is answered as if it had not. */
async function getUpgrade(gate: Gate, path = "/"): Promise<{ status: number; body: string }> {
  const socket = await guestTls(gate, { ALPNProtocols: ["http/1.1"] });
  const request = httpRequest({
    createConnection: () => socket,
    path,
    headers: { host, connection: "Upgrade", upgrade: "websocket" },
  });
  request.end();
  const [message] = (await once(request, "response")) as [IncomingMessage];
  let body = "";
  for await (const part of message) body += (part as Buffer).toString("latin1");
  socket.destroy();
  return { status: message.statusCode ?? 0, body };
}

const ways = [
  ["over HTTP/1.1", getH1],
  ["over HTTP/2", getH2],
  ["to a refused upgrade", getUpgrade],
] as const;

/** Answers the same whether an upgrade was asked for or not. */
function answering(head: readonly string[], body: Buffer) {
  const whole = (socket: Socket) => {
    const lines = [...head, `Content-Length: ${body.length}`, "Connection: close"];
    socket.write(`HTTP/1.1 200 OK\r\n${lines.join("\r\n")}\r\n\r\n`);
    socket.end(body);
  };
  return upstreamH1(
    (message) => whole(message.socket),
    undefined,
    (_message, socket) => whole(socket),
  );
}

for (const [way, get] of ways) {
  test.each(readable)(`an answer in the coding "%s" is searched ${way}`, async (coding, body) => {
    const gate = await gateTo(answering([`Content-Encoding: ${coding}`], body));
    const answer = await get(gate);
    expect(answer).toMatchObject({ status: 200, body: stars });
  });

  test.each([
    ["Content-Encoding: compress"],
    ["Content-Encoding: gzip\v"],
    ["Content-Encoding: gzip\u00a0"],
    ["Content-Encoding: aes128gcm"],
    ["Content-Encoding: gzip, gzip, gzip"],
    ["Transfer-Encoding: gzip"],
    ["Transfer-Encoding: gzip, chunked"],
    ["IM: gzip"],
    ["Grpc-Encoding: gzip"],
    ["Connect-Content-Encoding: br"],
  ])(`an answer with "%s" does not pass ${way}`, async (line) => {
    const body = /chunked/.test(line)
      ? Buffer.from(
          `${gzipSync(text).length.toString(16)}\r\n${gzipSync(text).toString("latin1")}\r\n0\r\n\r\n`,
          "latin1",
        )
      : gzipSync(text);
    const gate = await gateTo(
      /^Transfer/.test(line)
        ? upstreamH1(
            (message) =>
              void message.socket.end(
                Buffer.concat([Buffer.from(`HTTP/1.1 200 OK\r\n${line}\r\n\r\n`), body]),
              ),
            undefined,
            (_message, socket) =>
              void socket.end(
                Buffer.concat([Buffer.from(`HTTP/1.1 200 OK\r\n${line}\r\n\r\n`), body]),
              ),
          )
        : answering([line], body),
    );
    const answer = await get(gate);
    expect(answer.status).toBe(502);
    expect(gate.events).toContainEqual(
      expect.objectContaining({ event: "egress_deny", signal: "denied" }),
    );
  });
}

test("a part of a compressed answer cannot be read, so it does not pass", async () => {
  const gate = await gateTo(
    upstreamH1((_message, response) => {
      response.writeHead(206, { "content-encoding": "gzip", "content-range": "bytes 0-9/99" });
      response.end(gzipSync(text).subarray(0, 10));
    }),
  );
  expect((await getH1(gate)).status).toBe(502);
});

test("a server is asked for no coding, whatever the guest can read", async () => {
  let seen: readonly string[] = [];
  const gate = await gateTo(
    upstreamH1((message, response) => {
      seen = message.rawHeaders;
      response.end();
    }),
  );
  const asked = {
    "accept-encoding": "gzip",
    accept_encoding: "gzip",
    "a-im": "gzip",
    te: "gzip",
    "grpc-accept-encoding": "gzip",
    "connect-accept-encoding": "br",
  };
  await getH1(gate, { headers: { host, ...asked } });
  expect(seen.filter((_, at) => at % 2 === 1).join()).not.toMatch(/gzip|br/);
});

const unfolding = Buffer.alloc(64 * 1024 * 1024);
const encoders = {
  gzip: gzipSync,
  deflate: deflateSync,
  br: (bytes: Buffer) =>
    brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 1 } }),
  zstd,
};

test.each(Object.entries(encoders))(
  "what an answer in the coding %s unfolds to is held back until it is read",
  async (coding, encode) => {
    const [decoder] = decodersOf(200, [["content-encoding", coding]]);
    if (decoder === undefined) throw new Error("There is no decoder");
    Readable.from([encode(unfolding)]).pipe(decoder);
    await once(decoder, "readable");
    let held = 0;
    for (let turn = 0; turn < 3_000; turn++) {
      await setImmediate();
      held = Math.max(held, decoder.readableLength);
    }
    expect(held).toBeGreaterThan(0);
    expect(held).toBeLessThan(1024 * 1024);
    let length = 0;
    for await (const part of decoder) length += (part as Buffer).length;
    expect(length).toBe(unfolding.length);
  },
);

test("an answer that unfolds without end is read at the guest's pace", async () => {
  let sent = 0;
  const gate = await gateTo(
    upstreamH1(async (_message, response) => {
      response.writeHead(200, { "content-encoding": "gzip" });
      // As long as what it unfolds to, so that what the server could send was unfolded or waits to be.
      const stored = createGzip({ level: 0 });
      stored.pipe(response);
      for (const part of Array.from({ length: 1024 }, (_, at) =>
        unfolding.subarray(at * 65_536, (at + 1) * 65_536),
      )) {
        sent += part.length;
        if (!stored.write(part)) await once(stored, "drain");
      }
      stored.end();
    }),
  );
  const socket = await guestTls(gate, { ALPNProtocols: ["http/1.1"] });
  socket.write(`GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
  await once(socket, "readable");
  // Until the server gets no further: the guest reads nothing.
  for (let before = -1; before !== sent; ) {
    before = sent;
    for (let turn = 0; turn < 50 && before === sent; turn++) await setTimeout(2);
  }
  expect(sent).toBeLessThan(32 * 1024 * 1024);
  let length = 0;
  for await (const part of socket) length += (part as Buffer).length;
  expect(length).toBeGreaterThan(unfolding.length);
});
