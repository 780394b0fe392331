import { connect as connectNet, createServer } from "node:net";
import { connect as connectTls } from "node:tls";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readClientHello } from "../../../src/egress/client-hello.ts";
import { readFirstBytes } from "../../../src/egress/first-bytes.ts";
import { HttpGate } from "../../../src/egress/http-gate.ts";
import { readRequestHead } from "../../../src/egress/http-head.ts";
import { listen } from "./guest-network.ts";

/** What Node's TLS really sends first. */
async function realHello(servername: string): Promise<Buffer> {
  let seen: (bytes: Buffer) => void = () => {};
  const first = new Promise<Buffer>((resolve) => {
    seen = resolve;
  });
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", (bytes) => {
      seen(bytes);
      socket.destroy();
    });
  });
  const port = await listen(server);
  const socket = connectTls({ socket: connectNet(port, "127.0.0.1"), servername });
  socket.on("error", () => {});
  const bytes = await first;
  socket.destroy();
  await new Promise((resolve) => server.close(resolve));
  return bytes;
}

/** The same message in records of `size` bytes. */
function recut(hello: Buffer, size: number): Buffer {
  const message = hello.subarray(5);
  const parts: Buffer[] = [];
  for (let at = 0; at < message.length; at += size) {
    const piece = message.subarray(at, at + size);
    parts.push(Buffer.from([22, 3, 1, piece.length >> 8, piece.length & 0xff]), piece);
  }
  return Buffer.concat(parts);
}

describe("a real ClientHello", () => {
  test("names its server, whole or in records of any size", async () => {
    const hello = await realHello("api.example.com");
    for (const size of [16_384, 100, 7, 1]) {
      expect(readClientHello(recut(hello, size))).toEqual({
        kind: "hello",
        serverName: "api.example.com",
        encrypted: false,
      });
    }
    expect(await realHello("").then(readClientHello)).toMatchObject({ serverName: null });
  });

  test("is incomplete until its last byte", async () => {
    const hello = await realHello("api.example.com");
    for (let end = 1; end < hello.length; end++) {
      expect(readClientHello(hello.subarray(0, end)).kind).toBe("incomplete");
    }
    const early = Buffer.concat([hello, Buffer.from([23, 3, 3, 0, 1, 0])]);
    expect(readClientHello(early)).toMatchObject({ serverName: "api.example.com" });
  });

  test("with any byte changed is read without a throw, never as something else twice", async () => {
    const hello = await realHello("api.example.com");
    fc.assert(
      fc.property(fc.nat(hello.length - 1), fc.nat(255), (at, value) => {
        const changed = Buffer.from(hello);
        changed[at] = value;
        const reading = readClientHello(changed);
        expect(["incomplete", "not-tls", "malformed", "hello"]).toContain(reading.kind);
      }),
      { numRuns: 2_000 },
    );
  });

  test("with its name said twice is malformed", async () => {
    const hello = await realHello("a.example");
    const message = hello.subarray(5);
    // The extension again, at the end, and every length around it raised.
    const name = Buffer.from("evil.example");
    const list = Buffer.concat([Buffer.from([0, 0, name.length]), name]);
    const content = Buffer.concat([Buffer.from([0, list.length]), list]);
    const extension = Buffer.concat([Buffer.from([0, 0, 0, content.length]), content]);
    const session = 4 + 2 + 32;
    const suites = session + 1 + (message[session] ?? 0);
    const compression = suites + 2 + message.readUInt16BE(suites);
    const extensions = compression + 1 + (message[compression] ?? 0);
    const doubled = Buffer.concat([message, extension]);
    doubled.writeUIntBE(doubled.length - 4, 1, 3);
    doubled.writeUInt16BE(message.readUInt16BE(extensions) + extension.length, extensions);
    const record = Buffer.concat([
      Buffer.from([22, 3, 1, doubled.length >> 8, doubled.length & 0xff]),
      doubled,
    ]);
    expect(readClientHello(record).kind).toBe("malformed");
  });
});

test.each([
  ["GET / HTTP/1.1\r\nHost: A.example:8080\r\n\r\n", { host: { host: "a.example", port: 8080 } }],
  ["\r\nGET / HTTP/1.0\r\n\r\n", { host: null }],
  [
    "CONNECT b.example:443 HTTP/1.1\r\nHost: b.example:443\r\n\r\n",
    { target: { host: "b.example", port: 443 }, leavesHttp: "connect" },
  ],
  [
    "GET http://c.example/x HTTP/1.1\r\nHost: c.example\r\n\r\n",
    { target: { host: "c.example", port: 80 } },
  ],
  [
    "POST / HTTP/1.1\nHost: [::1]:80\nContent-Length: 5\n\n",
    { host: { host: "::1", port: 80 }, body: { bytes: 5 } },
  ],
])("request %j", (text, head) => {
  expect(readRequestHead(Buffer.from(text))).toMatchObject({ kind: "request", head });
});

test.each([
  "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
  "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
  "GET / HTTP/1.1\r\nA: b\r\n Host: c\r\n\r\n",
  "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
  "GET / HTTP/1.1\r\nContent-Length: 1, 2\r\n\r\n",
  "GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
  "GET / HTTP/1.1\r\nTransfer-Encoding: xchunked\r\n\r\n",
  "GET  / HTTP/1.1\r\n\r\n",
  "GET / HTTP/2.0\r\n\r\n",
  "GET evil HTTP/1.1\r\n\r\n",
  "GET /\r\n\r\n",
  "GET http://u@c.example/x HTTP/1.1\r\nHost: c.example\r\n\r\n",
  "GET http://evil\\@c.example/ HTTP/1.1\r\nHost: c.example\r\n\r\n",
  "GET http://c.example\\/ HTTP/1.1\r\nHost: c.example\r\n\r\n",
  "GET http://c.example#.evil.example/ HTTP/1.1\r\nHost: c.example\r\n\r\n",
  "GET / HTTP/1.1\r\nHost: c.example#.evil.example\r\n\r\n",
  "GET / HTTP/1.1\r\nHost: c.example\x0b\r\n\r\n",
  "GET / HTTP/1.1\r\nHost: c.example\xa0\r\n\r\n",
  "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\xa0\r\n\r\n",
  "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\n",
  "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \x0bchunked\r\n\r\n",
  "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
  "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\nContent-Length: 5\r\n\r\n",
  "CONNECT a HTTP/1.1\r\nHost: a\r\n\r\n",
  " GET / HTTP/1.1\r\nHost: a\r\n\r\n",
  "\rGET / HTTP/1.1\r\nHost: a\r\n\r\n",
  "X_Y / HTTP/1.2\r\nHost: a\r\n\r\n",
  "GET http://a/\r\n",
  "GET / HTTP/1.1\r\nHost: a\rb\r\n\r\n",
])("%j is malformed", (text) => {
  expect(readRequestHead(Buffer.from(text)).kind).toBe("malformed");
});

test.each([
  ["SSH-2.0-OpenSSH_9\r\n", "opaque"],
  ["EHLO me\r\n", "opaque"],
  ["\x00\x00\x00\x08\x04\xd2\x16\x2f", "opaque"],
  ["hello", "opaque"],
  ["GE", "incomplete"],
  ["PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "opaque"],
])("first bytes of what nothing is demanded of %j are %s", (text, kind) => {
  expect(readFirstBytes(Buffer.from(text, "latin1"), false).kind).toBe(kind);
});

test.each([
  ["SSH-2.0-OpenSSH_9\r\n", "opaque"],
  ["EHLO me\r\n", "opaque"],
  ["*1\r\n$4\r\nPING\r\n", "opaque"],
  ["get key\r\n", "opaque"],
  // For Python this is a request, and the fields behind it are its own.
  ["GET key\r\n", "malformed"],
  ["GET good.test:443\x85\r\nHost: evil.test\r\n\r\n", "malformed"],
  ["0032git-upload-pack /p.git\0host=a\0", "incomplete"],
  ["OPTIONS rtsp://cam.test/ RTSP/1.0\r\n", "opaque"],
  ["\x00\x00\x00\x08\x04\xd2\x16\x2f", "opaque"],
  ["hello", "incomplete"],
  ["X_Y / HTTP/1.1\r\nHost: a\r\n\r\n", "http"],
  ["GET2 / HTTP/1.1\r\nHost: a\r\n\r\n", "http"],
  ["\r\n\r\nX / HTTP/1.1\r\nHost: a\r\n\r\n", "http"],
  [" GET / HTTP/1.1\r\nHost: a\r\n\r\n", "malformed"],
  ["\x0bGET / HTTP/1.1\r\nHost: a\r\n\r\n", "malformed"],
  ["GET /\r\n", "malformed"],
  ["GET /\r\nHost: a\r\n\r\n", "malformed"],
  ["GET\xa0/\xa0HTTP/1.1\r\n\r\n", "malformed"],
  ["PROXY TCP4 1.1.1.1 2.2.2.2 1 2\r\nGET / HTTP/1.1\r\n\r\n", "malformed"],
  ["PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "http2"],
  ["\x15\x03\x01\x00\x02\x01\x00", "malformed"],
  ["\x14\x03\x01\x00\x01\x01", "malformed"],
  ["\x16\x03\x01\x00\x00", "malformed"],
  ["\x16\x02\x01\x00\x04\x01\x00\x00\x00", "malformed"],
  ["\x80\x2e\x01\x03\x01", "tls"],
])("first bytes %j of what a name is demanded of are %s", (text, kind) => {
  expect(readFirstBytes(Buffer.from(text, "latin1"), true).kind).toBe(kind);
});

test("no bytes at all make the readers throw", () => {
  const prefixes = fc.constantFrom(
    "",
    "\x16\x03\x01",
    "GET / HTTP/1.1\r\n",
    "CONNECT ",
    "\x16\x03\x01\x00\x05\x01\x00\x00",
  );
  fc.assert(
    fc.property(
      prefixes,
      fc.uint8Array({ maxLength: 400 }),
      fc.boolean(),
      (prefix, rest, patient) => {
        const bytes = Buffer.concat([Buffer.from(prefix, "latin1"), rest]);
        expect(readFirstBytes(bytes, patient).kind).toMatch(
          /^(incomplete|tls|http|http2|malformed|opaque)$/,
        );
      },
    ),
    { numRuns: 3_000 },
  );
});

describe("the gate for requests", () => {
  const run = (pieces: readonly string[]) => {
    const judged: string[] = [];
    const gate = new HttpGate({
      request: (head) => {
        judged.push(head.host?.host ?? "");
        return head.host?.host !== "evil.example";
      },
      refused: () => {},
      tunnel: () => ({ take: (piece) => piece, answer: () => {}, holding: false }),
    });
    let out = "";
    for (const piece of pieces) {
      // The server's bytes, between those of the guest.
      if (piece.startsWith("< ")) {
        gate.answer(Buffer.from(piece.slice(2), "latin1"));
        continue;
      }
      const free = gate.take(Buffer.from(piece, "latin1"));
      if (free === null) return { judged, out, ended: true };
      out += Buffer.from(free).toString("latin1");
    }
    return { judged, out, ended: false };
  };
  const get = (host: string) => `GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`;
  const chunked =
    "POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nGET /\r\n0\r\nTrailer: x\r\n\r\n";
  const sized = "POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 4\r\n\r\nGET ";

  test("follows bodies of every kind, however the bytes are cut", () => {
    const text = get("a.example") + chunked + sized + get("b.example");
    fc.assert(
      fc.property(fc.array(fc.nat(text.length)), (cuts) => {
        const places = [...new Set([0, ...cuts, text.length])].sort((a, b) => a - b);
        const pieces = places.slice(1).map((end, at) => text.slice(places[at], end));
        const expected = ["a.example", "a.example", "a.example", "b.example"];
        expect(run(pieces)).toEqual({ judged: expected, out: text, ended: false });
      }),
    );
  });

  test("ends at the first request for another host, before a byte of it", () => {
    const before = get("a.example") + chunked;
    expect(run([before + get("evil.example")]).ended).toBe(true);
    expect(run([before, get("evil.example")])).toMatchObject({ out: before, ended: true });
  });

  const upgrade = "GET / HTTP/1.1\r\nHost: a.example\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n";
  const tunnel = "CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n";

  test.each([
    ["an upgrade", upgrade, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"],
    ["CONNECT", tunnel, "HTTP/1.1 200 OK\r\n\r\n"],
    ["CONNECT, after an interim answer", tunnel, "HTTP/1.1 103 Early\r\n\r\nHTTP/1.0 200 OK\n\n"],
  ])("leaves HTTP after %s only when the server has agreed", (_what, request, yes) => {
    expect(run([request, "anything"]).ended).toBe(true);
    expect(run([`${request}anything`]).ended).toBe(true);
    expect(run([request, get("a.example")]).ended).toBe(true);
    expect(run([request, `< ${yes}`, "anything"])).toMatchObject({ ended: false });
    const cut = [...yes].map((byte) => `< ${byte}`);
    expect(run([request, ...cut, "anything"])).toMatchObject({ ended: false });
  });

  test.each([upgrade, tunnel])("stays with HTTP when the server says no to %j", (request) => {
    const no = "< HTTP/1.1 405 No\r\nContent-Length: 3\r\n\r\nno\n";
    expect(run([request, no, get("a.example")])).toMatchObject({ ended: false });
    expect(run([request, no, get("evil.example")])).toMatchObject({ ended: true });
    expect(run([request, no, "\x81\x85abcdefghi"])).toMatchObject({ ended: true });
  });

  test("takes nothing for an agreement that is not the answer to the request", () => {
    const ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    const yes = "HTTP/1.1 101 Yes\r\n\r\n";
    const plain = get("a.example");
    expect(run([plain + upgrade, `< ${ok}`, "x"]).ended).toBe(true);
    expect(run([plain + upgrade, `< ${ok}${yes}`, "x"]).ended).toBe(false);
    // In the body of another answer, after one without an end, after one that cannot be read.
    const echo = `HTTP/1.1 200 OK\r\nContent-Length: ${yes.length}\r\n\r\n${yes}`;
    expect(run([plain + upgrade, `< ${echo}`, "x"]).ended).toBe(true);
    expect(run([plain + upgrade, `< HTTP/1.1 200 OK\r\n\r\n${yes}`, "x"]).ended).toBe(true);
    expect(run([plain + upgrade, `< nonsense\r\n\r\n${yes}`, "x"]).ended).toBe(true);
    expect(run([upgrade, `< HTTP/1.1 200 OK\r\n\r\n${yes}`, "\x81x\n"]).ended).toBe(true);
    expect(run([`< ${yes}`, upgrade, "x"]).ended).toBe(true);
  });

  test("looks for an agreement behind a thousand answers before the answer, and no further", () => {
    const early = "HTTP/1.1 103 Early\r\n\r\n";
    const yes = "HTTP/1.1 101 Yes\r\n\r\n";
    const ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    expect(run([upgrade, `< ${early.repeat(1_000)}${yes}`, "x"]).ended).toBe(false);
    expect(run([upgrade, `< ${early.repeat(1_001)}${yes}`, "x"]).ended).toBe(true);
    // Each answer may have as many, and to a request that stays with HTTP all of them pass.
    const each = `< ${early.repeat(1_000)}${ok}`;
    const plain = get("a.example");
    expect(run([plain, each, upgrade, `${each.slice(0, -ok.length)}${yes}`, "x"]).ended).toBe(
      false,
    );
    expect(run([plain, `< ${early.repeat(100_000)}${ok}`, plain]).ended).toBe(false);
  });

  test("follows the body of a request that asks to leave HTTP", () => {
    const body = (text: string) =>
      `POST / HTTP/1.1\r\nHost: a.example\r\nUpgrade: x\r\nContent-Length: 2\r\n\r\n${text}`;
    expect(run([body("a\x81"), get("evil.example")]).ended).toBe(true);
    expect(run([body("a\x81") + get("evil.example")]).ended).toBe(true);
    const no = "< HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    expect(run([body("a"), "\x81", no, get("a.example")])).toMatchObject({ ended: false });
  });

  test("drops the wish for HTTP/2, and stays on HTTP/1.1", () => {
    const wish =
      "POST / HTTP/1.1\r\nHost: a.example\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\nContent-Length: 1\r\n\r\nx";
    const without = "POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 1\r\n\r\nx";
    expect(run([wish + get("a.example")])).toEqual({
      judged: ["a.example", "a.example"],
      out: without + get("a.example"),
      ended: false,
    });
    const both =
      "GET / HTTP/1.1\r\nHost: a.example\r\nConnection: upgrade\r\nUpgrade: h2c, y\r\n\r\n";
    expect(run([both])).toMatchObject({
      out: "GET / HTTP/1.1\r\nHost: a.example\r\nConnection: upgrade\r\nUpgrade: y\r\n\r\n",
    });
  });

  test.each([
    "5\r\nhelloXX0\r\n\r\n",
    "5\r\nhello\n0\r\n\r\n",
    "5\nhello\r\n0\r\n\r\n",
    "5 \r\nhello\r\n0\r\n\r\n",
    "+5\r\nhello\r\n0\r\n\r\n",
    "0x5\r\nhello\r\n0\r\n\r\n",
    "5;\r\nhello\r\n0\r\n\r\n",
    "5;a=\x0b\r\nhello\r\n0\r\n\r\n",
    "0\r\n \t\r\n\r\n",
    "0\r\n\n",
    "0\r\nA : b\r\n\r\n",
    "0\r\nHost: evil.example\r\n\r\n",
    "0\r\nA: b\r\n c\r\n\r\n",
  ])("ends at chunks that two readers read differently: %j", (chunks) => {
    const head = "POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n";
    expect(run([head + chunks]).ended).toBe(true);
    expect(run([head, ...chunks]).ended).toBe(true);
  });

  test("takes chunks with everything that RFC 9112 allows", () => {
    const head = "POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n";
    const chunks = '005;a;b=c;d="e;\\"f" \t; g = h\r\nhello\r\n0;x\r\nA: b\r\n\r\n';
    expect(run([head + chunks])).toMatchObject({ ended: false, out: head + chunks });
  });

  test("takes a head of 16 KiB, and none of a byte more", () => {
    const of = (size: number) => {
      const start = "GET / HTTP/1.1\r\nHost: a.example\r\nX: ";
      return `${start}${"x".repeat(size - start.length - 4)}\r\n\r\n`;
    };
    for (const cut of [1, 5_000, 16_384, 20_000]) {
      const pieces = (size: number) =>
        [of(size).slice(0, cut), of(size).slice(cut)].filter((one) => one !== "");
      expect(run(pieces(16_384)).ended, `${cut}`).toBe(false);
      expect(run(pieces(16_385)).ended, `${cut}`).toBe(true);
    }
  });
});
