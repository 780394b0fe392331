import { duplexPair } from "node:stream";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseGuestCall } from "../../../src/agent/guest-call-line.ts";
import { GuestCallServer } from "../../../src/agent/guest-call-server.ts";
import type { GuestCalls, RefusalCode } from "../../../src/agent/guest-calls.ts";
import { MicroagentError } from "../../../src/base/errors.ts";
import { limits } from "../../../src/base/limits.ts";
import { type Clock, type Op, realClock } from "../../../src/base/op.ts";
import { Session } from "../../../src/channel/session.ts";
import type { ChannelStream } from "../../../src/channel/stream.ts";
import { goldenBytes } from "../../support/golden-bytes.ts";
import { inTime, settle } from "../channel/sessions.ts";

interface AnswerVector {
  readonly name: string;
  readonly foreign?: boolean;
  readonly line: string;
  readonly ok: boolean;
  readonly code?: RefusalCode;
  readonly message?: string;
  readonly value?: string;
}

interface Vectors {
  readonly accepted: readonly { name: string; line: string; call: Record<string, unknown> }[];
  readonly refused: readonly { name: string; line?: string; line_bytes?: number; code: string }[];
  readonly answers: readonly AnswerVector[];
}

/** Lines that the guest's tests read too. */
const vectors = goldenBytes("guest-calls.json") as Vectors;

/** A host that serves `calls`, and the guest's session to open streams with. */
async function withHost(
  calls: GuestCalls,
  work: (op: Op, guest: Session, host: Session) => Promise<void>,
  clock: Clock = realClock,
): Promise<void> {
  const [hostLink, guestLink] = duplexPair();
  for (const link of [hostLink, guestLink]) link.on("error", () => {});
  const server = new GuestCallServer(calls, clock);
  const host = new Session(hostLink, "client", { onStream: server.onStream });
  host.closed.then((reason) => server.close(reason));
  const guest = new Session(guestLink, "server");
  try {
    await inTime((op) => work(op, guest, host));
  } finally {
    guest.close();
    host.close();
  }
}

async function readAll(op: Op, stream: ChannelStream): Promise<string> {
  const parts: Uint8Array[] = [];
  for (;;) {
    const piece = await stream.read(op);
    if (piece === null) return Buffer.concat(parts).toString();
    parts.push(piece);
  }
}

/** What comes until a line is whole. */
async function readText(op: Op, stream: ChannelStream): Promise<string> {
  let text = "";
  while (!text.includes("\n")) text += Buffer.from((await stream.read(op)) ?? "\n").toString();
  return text;
}

async function readLine(op: Op, stream: ChannelStream): Promise<Record<string, unknown>> {
  const text = await readText(op, stream);
  return JSON.parse(text.slice(0, text.indexOf("\n")));
}

/** Every call is taken, and its bytes come back. */
const echo: GuestCalls = {
  async tcp(op, _call, stream) {
    const bytes = stream.accept();
    for (let piece = await bytes.read(op); piece !== null; piece = await bytes.read(op)) {
      await bytes.write(op, piece);
    }
    bytes.end();
  },
};
const tcpLine = '{"op":"tcp","dst":"192.0.2.1","port":80,"src_port":1}\n';

describe("guest-calls.json", () => {
  test.each(vectors.accepted)("$name", ({ line, call }) => {
    const { src_port: srcPort, ...rest } = call;
    expect(parseGuestCall(line)).toEqual(srcPort === undefined ? rest : { ...rest, srcPort });
  });

  test.each(vectors.refused)("$name", async ({ line, line_bytes: bytes, code }) => {
    await withHost(echo, async (op, guest) => {
      const pad = (total: number) => `${tcpLine.slice(0, -2)},"pad":"${"x".repeat(total)}"}`;
      const text = line ?? pad((bytes ?? 0) - pad(0).length);
      if (bytes !== undefined) expect(text).toHaveLength(bytes);
      const stream = await guest.open(op, Buffer.from(`${text}\n`));
      expect(await readLine(op, stream)).toMatchObject({ ok: false, code });
    });
  });

  test.each(vectors.answers.filter(({ foreign }) => foreign !== true))(
    "$name is answered so",
    async ({ line, ok, code = "failed", message = "", value }) => {
      const calls: GuestCalls = {
        async tcp(_op, _call, stream) {
          if (ok) stream.accept().end();
          else stream.refuse(code, message);
        },
        secret: async () => Buffer.from(value ?? "", "base64"),
      };
      await withHost(calls, async (op, guest) => {
        const asking = value === undefined ? tcpLine : '{"op":"secret","name":"TOKEN"}\n';
        const stream = await guest.open(op, Buffer.from(asking));
        expect(await readText(op, stream)).toBe(`${line}\n`);
      });
    },
  );
});

test("bytes that follow the line at once belong to the connection, and halves end one by one", async () => {
  await withHost(echo, async (op, guest) => {
    const stream = await guest.open(op, Buffer.from(`${tcpLine}early`));
    await stream.write(op, Buffer.from(" and late"));
    stream.end();
    expect(await readAll(op, stream)).toBe('{"ok":true}\nearly and late');
  });
});

test("a handler that is done with a call has ended it, whatever else is said on the channel or not", async () => {
  const calls: GuestCalls = {
    async mediation(op, stream) {
      const bytes = stream.accept();
      await bytes.write(op, Buffer.from("all of it"));
      bytes.finish();
    },
  };
  await withHost(calls, async (op, guest) => {
    const stream = await guest.open(op, Buffer.from('{"op":"mediation"}\n'));
    expect(await readAll(op, stream)).toBe('{"ok":true}\nall of it');
  });
});

test("a guest with little room for a connection gets no more than it asked for until it takes some", async () => {
  const calls: GuestCalls = {
    async tcp(op, _call, stream) {
      const bytes = stream.accept();
      await bytes.write(op, Buffer.alloc(100_000));
      bytes.end();
    },
  };
  const bytesOf = async (window: string) => {
    let seen = 0;
    await withHost(calls, async (op, guest) => {
      const line = `${tcpLine.slice(0, -2)}${window}}\n`;
      const stream = await guest.open(op, Buffer.from(line));
      const answer = await readText(op, stream);
      seen = answer.length;
      const counting = (async () => {
        for (;;) {
          const piece = await stream.read(op);
          if (piece === null) return;
          seen += piece.length;
        }
      })();
      await Promise.race([counting, settle()]);
      counting.catch(() => {});
    });
    return seen;
  };
  expect(await bytesOf(',"window":8192')).toBe(8192);
  expect(await bytesOf("")).toBe('{"ok":true}\n'.length + 100_000);
});

test("a line that comes byte by byte is a line", async () => {
  await withHost(echo, async (op, guest) => {
    const stream = await guest.open(op);
    for (const byte of Buffer.from(tcpLine)) await stream.write(op, Buffer.from([byte]));
    expect(await readLine(op, stream)).toEqual({ ok: true });
    stream.reset();
  });
});

test("what nobody serves is unsupported", async () => {
  await withHost(echo, async (op, guest) => {
    const stream = await guest.open(op, Buffer.from('{"op":"mediation"}\n'));
    expect(await readLine(op, stream)).toMatchObject({ ok: false, code: "unsupported" });
  });
});

test("values, notices, decisions and failures are answered", async () => {
  const notices: unknown[] = [];
  const calls: GuestCalls = {
    secret: async (_op, { name }) => {
      if (name === "NO") throw new MicroagentError("output_refused", "No secret is named so");
      if (name === "BROKEN") throw new MicroagentError("internal", "File /etc/x is not there");
      return Buffer.from("value");
    },
    unmediated: async (_op, call) => {
      notices.push(call);
    },
  };
  await withHost(calls, async (op, guest) => {
    const ask = async (line: string) =>
      readLine(op, await guest.open(op, Buffer.from(`${line}\n`)));
    const value = Buffer.from("value").toString("base64");
    expect(await ask('{"op":"secret","name":"A"}')).toEqual({ ok: true, value });
    expect(await ask('{"op":"secret","name":"NO"}')).toEqual({
      ok: false,
      code: "denied",
      message: "No secret is named so",
    });
    const broken = await ask('{"op":"secret","name":"BROKEN"}');
    expect(broken).toMatchObject({ ok: false, code: "failed" });
    expect(JSON.stringify(broken)).not.toContain("/etc");
    await ask('{"op":"unmediated","protocol":"ic\\u0007mp","dst":"8.8.8.8","count":3}');
    expect(notices).toEqual([
      { op: "unmediated", protocol: "ic\\x07mp", dst: "8.8.8.8", count: 3 },
    ]);
  });
});

test("a handler that fails after its yes resets the stream, and only that", async () => {
  const calls: GuestCalls = {
    async tcp(_op, _call, stream) {
      stream.accept();
      throw new MicroagentError("internal", "Broken");
    },
  };
  await withHost(calls, async (op, guest, host) => {
    const stream = await guest.open(op, Buffer.from(tcpLine));
    await expect(readAll(op, stream)).rejects.toMatchObject({ code: "channel_closed" });
    expect(host.failure).toBeNull();
  });
});

test("ten thousand opened streams are served, refused or reset, and leave nothing", async () => {
  let served = 0;
  const counting: GuestCalls = {
    async tcp(op, call, stream) {
      served += 1;
      await echo.tcp?.(op, call, stream);
    },
  };
  await withHost(counting, async (op, guest, host) => {
    const streams: ChannelStream[] = [];
    for (let i = 0; i < 10_000; i++) {
      // A hostile guest counts no streams; a session per thousand would be what an honest one does.
      const opened = guest.open(op, Buffer.from(i % 2 === 0 ? tcpLine : "{")).catch(() => null);
      if (i % 100 === 0) await settle();
      const stream = await opened;
      if (stream !== null) streams.push(stream);
      if (streams.length >= 600) for (const old of streams.splice(0)) old.reset();
      expect(host.streamCount).toBeLessThanOrEqual(limits.channel.inboundStreamsMax);
    }
    for (const stream of streams) stream.reset();
    await settle();
    expect(served).toBeGreaterThan(1000);
    expect(host.failure).toBeNull();
    expect(host.streamCount).toBe(0);
    const last = await guest.open(op, Buffer.from(tcpLine));
    expect(await readLine(op, last)).toEqual({ ok: true });
    last.reset();
  });
});

test("half a line, and a refused stream the guest never ends, give their places back", async () => {
  const timers = new Set<{ at: number; run: () => void }>();
  let now = 0;
  const clock: Clock = {
    now: () => now,
    monotonic: () => now,
    after(ms, run) {
      const timer = { at: now + ms, run };
      timers.add(timer);
      return () => timers.delete(timer);
    },
  };
  const pass = async (ms: number) => {
    now += ms;
    for (const timer of [...timers]) {
      if (timer.at <= now && timers.delete(timer)) timer.run();
    }
    await settle();
  };
  await withHost(
    echo,
    async (op, guest, host) => {
      const half = await guest.open(op, Buffer.from('{"op":'));
      const refused = await guest.open(op, Buffer.from("no\n"));
      expect(await readLine(op, refused)).toMatchObject({ ok: false });
      await settle();
      expect(host.streamCount).toBe(2);
      await pass(limits.guestCalls.lineMs);
      await pass(limits.guestCalls.leaveMs);
      await pass(limits.guestCalls.leaveMs);
      expect(host.streamCount).toBe(0);
      expect([half.failed, refused.failed]).toEqual([true, true]);
      expect(timers.size).toBe(0);
    },
    clock,
  );
});

test("no line at all makes the host throw", () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json()), (line) => {
      const call = parseGuestCall(line);
      expect("code" in call || "op" in call).toBe(true);
    }),
  );
  const near = fc.record({
    op: fc.constantFrom("tcp", "udp", "dns", "unmediated", "secret", "mediation", "__proto__"),
    dst: fc.oneof(fc.ipV4(), fc.ipV6(), fc.anything()),
    port: fc.oneof(fc.integer(), fc.anything()),
    src_port: fc.oneof(fc.nat(65535), fc.anything()),
  });
  fc.assert(
    fc.property(near, (value) => {
      const call = parseGuestCall(JSON.stringify(value));
      if (!("code" in call) && call.op === "tcp") {
        expect(call.port).toBeGreaterThan(0);
        expect(call.port).toBeLessThan(65536);
      }
    }),
  );
});
