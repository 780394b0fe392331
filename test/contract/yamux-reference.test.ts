import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ensureGo } from "../../scripts/find-go.mjs";
import { type Op, withOp } from "../../src/base/op.ts";
import { hostHandshake } from "../../src/channel/handshake.ts";
import { Session } from "../../src/channel/session.ts";
import type { ChannelStream } from "../../src/channel/stream.ts";
import { startLinked } from "./child-link.ts";

let dir = "";
const peer = () => join(dir, "peer");

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "microagent-yamux-"));
  const cwd = join(import.meta.dirname, "yamux-reference");
  const go = await ensureGo();
  // As the guest agent is built, whose compiled packages are in Go's cache already.
  const env = { ...go.env, CGO_ENABLED: "0" };
  await promisify(execFile)(go.program, ["build", "-trimpath", "-o", peer(), "."], { cwd, env });
}, 120_000);

afterAll(async () => await rm(dir, { recursive: true, force: true }));

async function withPeer<T>(work: (op: Op, session: Session) => Promise<T>): Promise<T> {
  const child = startLinked(peer());
  try {
    return await withOp("test", { timeoutMs: 30_000 }, async (op) => {
      expect((await hostHandshake(op, child.link)).agent).toBe("reference");
      const session = new Session(child.link, "client");
      try {
        return await work(op, session);
      } finally {
        session.close();
      }
    });
  } finally {
    await child.stop();
  }
}

async function count(op: Op, stream: ChannelStream): Promise<number> {
  let bytes = 0;
  for (;;) {
    const piece = await stream.read(op);
    if (piece === null) return bytes;
    bytes += piece.length;
  }
}

async function answer(op: Op, session: Session, request: string): Promise<string> {
  const stream = await session.open(op, Buffer.from(`${request}\n`));
  stream.end();
  const parts: Uint8Array[] = [];
  for (let piece = await stream.read(op); piece !== null; piece = await stream.read(op)) {
    parts.push(piece);
  }
  return Buffer.concat(parts).toString();
}

test("pings, half-closes and a refused stream, against the reference implementation", async () => {
  await withPeer(async (op, session) => {
    await session.ping(op);
    expect(await answer(op, session, "ping")).toBe("<nil>\n");
    expect(await answer(op, session, "open")).toBe("connection reset\n");
    expect(await answer(op, session, "echo\nhello")).toBe("hello\n");
    expect(session.streamCount).toBe(0);
  });
});

test("bulk in both directions at once, past every window", async () => {
  await withPeer(async (op, session) => {
    const bytes = 20 * 1024 * 1024;
    const source = await session.open(op, Buffer.from(`source ${bytes}\n`));
    const sink = await session.open(op, Buffer.from("sink\n"));
    const pushing = (async () => {
      const block = Buffer.alloc(100_000);
      for (let n = 0; n < 200; n++) await sink.write(op, block);
      sink.end();
    })();
    expect(await count(op, source)).toBe(bytes);
    source.end();
    await pushing;
    const told = await sink.read(op);
    expect(Buffer.from(told ?? []).toString()).toBe("20000000\n");
  });
});

test("a reader that stops and goes on, while other streams live", async () => {
  await withPeer(async (op, session) => {
    const bytes = 8 * 1024 * 1024;
    const slow = await session.open(op, Buffer.from(`source ${bytes}\n`));
    await slow.read(op);
    for (let n = 0; n < 300; n++) expect(await answer(op, session, `echo\n${n}`)).toBe(`${n}\n`);
    expect(await count(op, slow)).toBeGreaterThan(bytes - 1024 * 1024);
    slow.end();
  });
});

test("resets and many streams at once", async () => {
  await withPeer(async (op, session) => {
    const doomed = await session.open(op, Buffer.from("source 100000000\n"));
    await doomed.read(op);
    doomed.reset();
    const answers = await Promise.all(
      Array.from({ length: 500 }, (_, n) => answer(op, session, `echo\n${n}`)),
    );
    expect(answers.every((text, n) => text === `${n}\n`)).toBe(true);
    await session.ping(op);
    expect(session.streamCount).toBe(0);
  });
});
