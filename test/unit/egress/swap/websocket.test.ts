import { once } from "node:events";
import { request as httpRequest, type IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { Readable } from "node:stream";
import { deflateRawSync } from "node:zlib";
import fc from "fast-check";
import { expect, test } from "vitest";
import { limits } from "../../../../src/base/limits.ts";
import { Automaton } from "../../../../src/egress/swap/echo/automaton.ts";
import { needlesOf } from "../../../../src/egress/swap/echo/needles.ts";
import { EchoGuard } from "../../../../src/egress/swap/redactor.ts";
import { searchedFrames } from "../../../../src/egress/swap/websocket-frames.ts";
import { gateTo } from "../../../fixtures/gate-to.ts";
import { type Gate, guestTls, host, realKey, upstreamH1 } from "../../../fixtures/swap-gate.ts";

const stars = "*".repeat(realKey.length);
const [text, binary, ping] = [1, 2, 9];

function frame(payload: Buffer | string, opcode: number, isFinal = true): Buffer {
  const bytes = Buffer.from(payload);
  const first = (isFinal ? 0x80 : 0) | opcode;
  if (bytes.length < 126) return Buffer.concat([Buffer.of(first, bytes.length), bytes]);
  const head = Buffer.alloc(bytes.length < 65_536 ? 4 : 10);
  head[0] = first;
  head[1] = head.length === 4 ? 126 : 127;
  if (head.length === 4) head.writeUInt16BE(bytes.length, 2);
  else head.writeBigUInt64BE(BigInt(bytes.length), 2);
  return Buffer.concat([head, bytes]);
}

/** One message in as many frames as parts. */
function message(parts: readonly (Buffer | string)[], opcode = text): Buffer {
  const last = parts.length - 1;
  return Buffer.concat(parts.map((part, at) => frame(part, at === 0 ? opcode : 0, at === last)));
}

/** The messages in unmasked frames, as a client reads them; control frames each as one. */
function messagesIn(bytes: Buffer): string[] {
  const messages: string[] = [];
  let open = "";
  for (let at = 0; at < bytes.length; ) {
    const [first = 0, second = 0] = bytes.subarray(at);
    const wide = second === 126 ? 4 : second === 127 ? 10 : 2;
    const length =
      second < 126
        ? second
        : second === 126
          ? bytes.readUInt16BE(at + 2)
          : Number(bytes.readBigUInt64BE(at + 2));
    const payload = bytes.toString("latin1", at + wide, at + wide + length);
    at += wide + length;
    if ((first & 0x08) !== 0) messages.push(payload);
    else {
      open += payload;
      if ((first & 0x80) === 0) continue;
      messages.push(open);
      open = "";
    }
  }
  return messages;
}

interface Served {
  readonly gate: Gate;
  readonly socket: Socket;
}

/** A server that switches to WebSocket and then sends these bytes; the guest is told of the switch. */
async function serve(bytes: Buffer, lines: readonly string[] = []): Promise<Served> {
  const gate = await gateTo(
    upstreamH1(
      (_message, response) => void response.writeHead(400).end(),
      undefined,
      (_message, socket) => {
        const head = ["Connection: Upgrade", "Upgrade: WebSocket", ...lines].join("\r\n");
        socket.write(`HTTP/1.1 101 Switching Protocols\r\n${head}\r\n\r\n`);
        socket.write(bytes);
      },
    ),
  );
  return { gate, socket: await guestTls(gate, { ALPNProtocols: ["http/1.1"] }) };
}

function ask(socket: Socket) {
  const request = httpRequest({
    createConnection: () => socket,
    headers: { host, connection: "Upgrade", upgrade: "websocket" },
  });
  request.on("error", () => {});
  request.end();
  return request;
}

/** As many bytes as were sent. */
async function received(bytes: Buffer): Promise<{ gate: Gate; bytes: Buffer }> {
  const { gate, socket } = await serve(bytes);
  const [, stream, head] = (await once(ask(socket), "upgrade")) as [unknown, Socket, Buffer];
  let all = head;
  while (all.length < bytes.length) all = Buffer.concat([all, (await once(stream, "data"))[0]]);
  socket.destroy();
  return { gate, bytes: all };
}

const [front, back] = [realKey.slice(0, 9), realKey.slice(9)];
const long = "x".repeat(300);
const huge = "y".repeat(70_000);

test.each([
  ["two frames", message([`a ${front}`, `${back} b`]), [`a ${stars} b`]],
  ["frames of one byte", message([...`a ${realKey} b`]), [`a ${stars} b`]],
  ["frames of which some are empty", message([front, "", "", back]), [stars]],
  ["binary frames", message([front, back], binary), [stars]],
  ["long frames", message([long + front, back + long, huge]), [`${long}${stars}${long}${huge}`]],
  ["a frame with a long head", message([front, back + huge]), [`${stars}${huge}`]],
  [
    "frames with a ping between them",
    Buffer.concat([frame(front, text, false), frame("are you there", ping), frame(back, 0)]),
    ["are you there", stars],
  ],
  [
    "frames with the key in a ping between them",
    Buffer.concat([frame(front, text, false), frame(`a ${realKey}`, ping), frame(back, 0)]),
    [`a ${stars}`, stars],
  ],
  [
    "base64 in three frames",
    message([
      ...(Buffer.from(realKey)
        .toString("base64")
        .match(/.{1,13}/g) ?? []),
    ]),
    // The first character alone passes before there is anything to recognise.
    [expect.stringMatching(/^.?\*+=*$/)],
  ],
])("a key in %s does not come back", async (_, sent, expected) => {
  const answer = await received(sent);
  expect(messagesIn(answer.bytes)).toEqual(expected);
  expect(answer.bytes).toHaveLength(sent.length);
  expect(answer.gate.events).toContainEqual(
    expect.objectContaining({ event: "egress_swap_error", signal: "credential-echo" }),
  );
});

test("a message that ends as a key begins is there before the next one", async () => {
  const answer = await received(message(["yes", ` and ${front}`]));
  expect(messagesIn(answer.bytes)).toEqual([`yes and ${front}`]);
});

test("frames pass unchanged however they are cut, but for what is hidden in their messages", async () => {
  const automaton = new Automaton(needlesOf(realKey));
  const guard = new EchoGuard(
    () => automaton,
    () => {},
  );
  const part = fc.oneof(
    fc.constantFrom(front, back, realKey, "", "sk-", long),
    fc.string({ maxLength: 5 }),
  );
  const sent = fc.array(
    fc.oneof(
      fc.array(part, { minLength: 1, maxLength: 6 }).map((parts) => message(parts)),
      fc.string({ maxLength: 9 }).map((payload) => frame(payload, ping)),
    ),
    { maxLength: 5 },
  );
  await fc.assert(
    fc.asyncProperty(
      sent,
      fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }),
      async (frames, cuts) => {
        const all = Buffer.concat(frames);
        const pieces: Buffer[] = [];
        for (let at = 0, i = 0; at < all.length; i++) {
          const end = at + (cuts[i % cuts.length] ?? 1);
          pieces.push(all.subarray(at, end));
          at = end;
        }
        const out: Buffer[] = [];
        for await (const piece of Readable.from(pieces).pipe(searchedFrames(guard)))
          out.push(piece);
        const hidden = messagesIn(all).map((one) => one.replaceAll(realKey, stars));
        expect(messagesIn(Buffer.concat(out))).toEqual(hidden);
        expect(Buffer.concat(out)).toHaveLength(all.length);
      },
    ),
    { numRuns: 300 },
  );
});

const masked = Buffer.concat([
  Buffer.of(0x81, 0x80 | realKey.length, 1, 2, 3, 4),
  Buffer.from(realKey).map((byte, at) => byte ^ ((at % 4) + 1)),
]);
const compressed = deflateRawSync(realKey);

test.each([
  ["masked", masked],
  ["compressed", Buffer.concat([Buffer.of(0xc1, compressed.length), compressed])],
  ["with a reserved opcode", frame(realKey, 3)],
  ["with a reserved control opcode", frame(realKey, 11)],
  ["that continue nothing", frame(realKey, 0)],
  ["that begin again before an end", Buffer.concat([frame(front, text, false), frame(back, text)])],
  ["of control in parts", Buffer.concat([frame(front, ping, false), frame(back, 0)])],
  ["of control that are too long", frame(realKey.padEnd(126), ping)],
  [
    "without end",
    Buffer.concat([Buffer.of(0x81, 127), Buffer.alloc(8, 255), Buffer.from(realKey)]),
  ],
  [
    "in endless number in the middle of a key",
    Buffer.concat([
      frame(front, text, false),
      ...Array.from({ length: limits.swap.heldFramesMax + 1 }, () => frame("", 0, false)),
      frame(back, 0),
    ]),
  ],
])("frames %s end the connection, and nothing of them arrives", async (_, sent) => {
  const { gate, socket } = await serve(sent);
  const [, stream, head] = (await once(ask(socket), "upgrade")) as [unknown, Socket, Buffer];
  const parts = [head];
  stream.on("error", () => {});
  stream.on("data", (part: Buffer) => parts.push(part));
  await once(stream, "close");
  const all = Buffer.concat(parts).toString("latin1");
  expect(all).not.toContain(back);
  expect(all.length).toBeLessThan(front.length + 4);
  expect(gate.events).toContainEqual(
    expect.objectContaining({
      event: "egress_deny",
      reason: expect.stringContaining("bad-upstream-answer"),
    }),
  );
});

test("a server that compresses messages though it was not offered is not believed", async () => {
  const { gate, socket } = await serve(Buffer.alloc(0), [
    "Sec-WebSocket-Extensions: permessage-deflate",
  ]);
  const [answer] = (await once(ask(socket), "response")) as [IncomingMessage];
  expect(answer.statusCode).toBe(502);
  expect(gate.events).toContainEqual(expect.objectContaining({ event: "egress_deny" }));
  socket.destroy();
});
