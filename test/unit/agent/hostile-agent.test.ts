import fc from "fast-check";
import { expect, test } from "vitest";
import type { Agent } from "../../../src/agent/agent.ts";
import { encodeFrameHead, encodeJsonFrame, frameKind } from "../../../src/agent/frame.ts";
import { isMicroagentError } from "../../../src/base/errors.ts";
import type { Op } from "../../../src/base/op.ts";
import { checkProperty } from "../channel/sessions.ts";
import { answering } from "./answering.ts";
import { collect, command, itemsOf } from "./guests.ts";

const line = (value: unknown) => Buffer.from(`${JSON.stringify(value)}\n`);
const ok = (fields: object = {}) => line({ ok: true, ...fields });
const entry = (fields: object) => encodeJsonFrame(frameKind.entry, { mode: 0o644, ...fields });
const fileEntry = entry({ path: "f", type: "file" });
const data = (text: string) =>
  Buffer.concat([encodeFrameHead(frameKind.data, text.length), Buffer.from(text)]);
const hole = (bytes: bigint) => {
  const frame = Buffer.concat([encodeFrameHead(frameKind.hole, 8), Buffer.alloc(8)]);
  frame.writeBigUInt64BE(bytes, 5);
  return frame;
};
const treeEnd = encodeJsonFrame(frameKind.end, { entries: 0, bytes: 0, truncated: false });
const get = async (op: Op, agent: Agent) =>
  await collect(await agent.get(op, "/x", { maxEntries: 3, maxBytes: 10 }));
const run = async (op: Op, agent: Agent) => await agent.run(op, command("true"));
const root = ok({ type: "dir" });
const list = async (op: Op, agent: Agent) => await agent.readdir(op, "/x");
const changes = async (op: Op, agent: Agent) => await agent.changes(op, "/x", 0);
const listed = (path: string) => [ok(), entry({ path, type: "file" }), treeEnd];

test.each([
  ["no JSON", [Buffer.from("hello\n")], run, 'sent "hello", wanted a JSON object'],
  ["no newline, ever", [Buffer.alloc(200_000, "x")], run, "a line of more than 65536 bytes"],
  ["no reply", [], run, "ended a stream before its reply"],
  ["neither yes nor no", [line({ hello: 1 })], run, 'has no "ok"'],
  ["a string for a pid", [ok({ pid: "1" })], run, 'has a bad "pid"'],
  ["no result", [ok({ pid: 1 })], run, "ended a command without its result"],
  [
    "half a frame",
    [ok({ pid: 1 }), encodeFrameHead(frameKind.stdout, 9), Buffer.from("x")],
    run,
    "in the middle of a frame",
  ],
  ["half a head", [ok({ pid: 1 }), Buffer.from("\u0011\u0000")], run, "in the middle of a frame"],
  [
    "an oversized frame",
    [ok({ pid: 1 }), encodeFrameHead(frameKind.stdout, 0xffff_ffff)],
    run,
    "a frame of 4294967295 bytes, wanted at most 1048576",
  ],
  [
    "an oversized result",
    [ok({ pid: 1 }), encodeFrameHead(frameKind.result, 100_000)],
    run,
    "a message of 100000 bytes, wanted at most 65536",
  ],
  ["an unknown frame", [ok({ pid: 1 }), encodeFrameHead(0x77, 0)], run, "kind 119"],
  [
    "a result that says nothing",
    [ok({ pid: 1 }), encodeJsonFrame(frameKind.result, { status: "exited" })],
    run,
    "malformed exec result",
  ],
  ["a tree frame for a command", [ok({ pid: 1 }), treeEnd], run, "kind 47"],
  ["content outside a file", [root, data("x")], get, "sent content where"],
  ["a hole outside a file", [root, hole(1n)], get, "sent content where"],
  [
    "an end of no file",
    [root, encodeFrameHead(frameKind.entryEnd, 0)],
    get,
    "an end of a file where",
  ],
  ["a file in a file", [root, fileEntry, fileEntry], get, "sent an entry where"],
  ["an end in a file", [root, fileEntry, treeEnd], get, "the end of the tree where"],
  [
    "a skip in a file",
    [root, fileEntry, encodeJsonFrame(frameKind.skip, { path: "a", code: "x" })],
    get,
    "a skip where",
  ],
  ...["../../etc/shadow", "a/b", "/etc/passwd", "..", ".", "", "a\0b"].map(
    (path): [string, Buffer[], typeof list, string] => [
      `a list with "${path}"`,
      listed(path),
      list,
      "which no directory holds",
    ],
  ),
  ...["a/../../b", "/etc/passwd", "a//b", "a/./b"].map(
    (path): [string, Buffer[], typeof changes, string] => [
      `changes in "${path}"`,
      listed(path),
      changes,
      "which no directory holds",
    ],
  ),
  ["no end", [root], get, "ended a tree without its end"],
  [
    "more entries than asked for",
    [root, ...Array(4).fill(entry({ path: "d", type: "dir" })), treeEnd],
    get,
    "more entries than asked for, wanted at most 3",
  ],
  [
    "more entries counted than asked for",
    [
      root,
      entry({ path: "d", type: "dir" }),
      encodeJsonFrame(frameKind.end, { entries: 1, bytes: 0, truncated: false, counted: 3 }),
    ],
    get,
    "more entries than asked for, wanted at most 3",
  ],
  [
    "more bytes than asked for",
    [root, fileEntry, data("12345678901")],
    get,
    "more bytes than asked for, wanted at most 10",
  ],
  ["a hole past the cap", [root, fileEntry, hole(11n)], get, "more bytes than asked for"],
  ["an endless hole", [root, fileEntry, hole(0xffff_ffff_ffff_ffffn)], get, "an endless hole"],
  ["a malformed entry", [root, entry({ path: "x", type: "portal" })], get, "malformed tree entry"],
  [
    "a negative size",
    [root, entry({ path: "x", type: "file", size: -1 })],
    get,
    "malformed tree entry",
  ],
  [
    "a path of 5000 bytes",
    [root, entry({ path: "x".repeat(5000), type: "file" })],
    get,
    "malformed tree entry",
  ],
  [
    "stat without an entry",
    [ok({ entry: 5 })],
    async (op: Op, agent: Agent) => await agent.stat(op, "/x"),
    "without an entry",
  ],
  [
    "success before the end",
    [ok(), ok({ entries: 0, bytes: 0 })],
    async (op: Op, agent: Agent) => await agent.put(op, "/x", never()),
    "before all of it was sent",
  ],
])("%s ends the session by name", async (_name, bytes, work, message) => {
  const { outcome, agent } = await answering(
    bytes,
    work as (op: Op, agent: Agent) => Promise<unknown>,
  );
  expect(outcome).toMatchObject({
    code: "protocol_violation",
    message: expect.stringContaining(message),
  });
  expect((await agent.closed).code).toBe("protocol_violation");
});

async function* never(): AsyncIterable<never> {
  await new Promise(() => {});
}

test.each(["ends", "resets"] as const)(
  "a refusal in the middle of a put, whose stream then %s, is thrown as what it is, with its text made safe",
  async (after) => {
    const refusal = line({
      ok: false,
      code: "no_space",
      message: "disk \u001b[31mfull",
      errno: "ENOSPC",
    });
    async function* endless() {
      for (;;) yield { kind: "data", data: Buffer.alloc(100_000) } as const;
    }
    const { outcome } = await answering(
      [ok(), refusal],
      async (op, agent) => await agent.put(op, "/x", endless()),
      after,
    );
    expect(outcome).toMatchObject({
      code: "guest_refused",
      message: 'The guest cannot write "/x": disk \\x1b[31mfull',
      details: { guestCode: "no_space", errno: "ENOSPC" },
    });
  },
);

test("deep and strange JSON is refused or ignored, not executed", async () => {
  const deep = Buffer.from(`${"[".repeat(30_000)}${"]".repeat(30_000)}\n`);
  expect((await answering(deep, run)).outcome).toMatchObject({ code: "protocol_violation" });
  const proto = Buffer.from('{"ok":true,"pid":1,"__proto__":{"polluted":true}}\n');
  await answering(proto, run);
  expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
});

const streamByte = fc.oneof(
  fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
  fc.constantFrom(
    ok({ pid: 1 }),
    root,
    fileEntry,
    data("abc"),
    hole(3n),
    encodeFrameHead(frameKind.entryEnd, 0),
    encodeFrameHead(frameKind.stdout, 3),
    treeEnd,
    entry({ path: "../../etc/passwd", type: "file" }),
  ),
);

test("random answers to every request settle it, with a named error or not", async () => {
  await checkProperty(
    fc.asyncProperty(fc.array(streamByte, { maxLength: 12 }), fc.nat(5), async (parts, which) => {
      const calls = [
        run,
        get,
        async (op: Op, agent: Agent) => await agent.readdir(op, "/"),
        async (op: Op, agent: Agent) => await agent.stat(op, "/"),
        async (op: Op, agent: Agent) => await agent.put(op, "/", itemsOf()),
        async (op: Op, agent: Agent) => await agent.ping(op),
      ];
      const call = calls[which] ?? run;
      const { outcome } = await answering(parts, call as typeof run);
      if (isMicroagentError(outcome)) expect(outcome.code).not.toBe("internal");
    }),
    60,
  );
});
