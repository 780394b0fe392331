import { join } from "node:path";
import { expect, test } from "vitest";
import type { Agent } from "../../../src/agent/agent.ts";
import { encodeJsonFrame, frameKind } from "../../../src/agent/frame.ts";
import { writeHostTree } from "../../../src/agent/host-tree.ts";
import { errorJson } from "../../../src/base/error-json.ts";
import { isMicroagentError } from "../../../src/base/errors.ts";
import type { Op } from "../../../src/base/op.ts";
import { expectOwnLines, foreignValues, type Json, mutated } from "../../support/foreign-values.ts";
import { answering } from "./answering.ts";
import { command, configuration, itemsOf, withTempDir } from "./guests.ts";

/** The last one fits into a reply. */
const values: readonly unknown[] = [...foreignValues, "z".repeat(50_000)];

/** A part of a guest's answer: a line, or a frame with JSON in it. */
interface Part {
  readonly kind: number | null;
  readonly json: Json;
}

const line = (json: Json): Part => ({ kind: null, json });
const frame = (kind: number, json: Json): Part => ({ kind, json });
const bytesOf = ({ kind, json }: Part): Buffer =>
  kind === null
    ? Buffer.from(`${JSON.stringify(json)}\n`)
    : Buffer.from(encodeJsonFrame(kind, json));

const file = {
  path: "f",
  type: "file",
  mode: 420,
  uid: 0,
  gid: 0,
  size: 0,
  mtime_s: 1,
  mtime_ns: 5,
};
const link = { ...file, path: "l", type: "symlink", link: "to" };
const end = { entries: 2, bytes: 0, truncated: false };
const refusal: Json = { ok: false, code: "io_error", message: "no", errno: "EIO" };
const result: Json = {
  status: "exited",
  exit_code: 3,
  signal: null,
  started_at_unix_ns: "1",
  ended_at_unix_ns: "2",
  oom_killed: false,
  drained: true,
};

type Ask = (op: Op, agent: Agent, dir: string) => Promise<unknown>;

const asks: readonly [string, readonly Part[], Ask][] = [
  [
    "configure",
    [line({ ok: true, timings_ms: { root: 1 } })],
    (op, agent) => agent.configure(op, configuration),
  ],
  [
    "exec",
    [line({ ok: true, pid: 1 }), frame(frameKind.result, result)],
    (op, agent) => agent.run(op, command("true")),
  ],
  ["stat", [line({ ok: true, entry: link })], (op, agent) => agent.stat(op, "/l")],
  [
    "readdir",
    [line({ ok: true }), frame(frameKind.entry, link), frame(frameKind.end, end)],
    (op, agent) => agent.readdir(op, "/"),
  ],
  [
    "put",
    [line({ ok: true }), line({ ok: true, entries: 0, bytes: 0 })],
    (op, agent) => agent.put(op, "/", itemsOf()),
  ],
  [
    "secrets",
    [line({ ok: true, uid: 1, gid: 1 })],
    (op, agent) => agent.placeSecrets(op, { user: "0", sizeBytes: 1, socket: null }),
  ],
  ["connect", [line({ ok: true })], (op, agent) => agent.connectPort(op, 80)],
  ["quiesce", [line({ ok: true })], (op, agent) => agent.quiesce(op)],
  [
    "get",
    [
      line({ ok: true, type: "dir" }),
      frame(frameKind.entry, { ...file, path: "", type: "dir" }),
      frame(frameKind.entry, link),
      frame(frameKind.skip, { path: "s", code: "io_error", message: "no" }),
      frame(frameKind.end, end),
    ],
    async (op, agent, dir) => {
      const manifest = await writeHostTree(op, await agent.get(op, "/out"), dir);
      for (const { path, type, reason } of manifest.skipped) {
        for (const text of [path, type, reason]) expectOneLine(text, "a left-out entry");
      }
      if (manifest.failure !== null) throw manifest.failure;
    },
  ],
];

function expectOneLine(text: string, about: string): void {
  expect(text, about).not.toContain("\n");
  expectOwnLines(text, about);
}

test.each(asks)(
  "whatever a guest answers to %s, an error about it is one line of ours",
  async (_name, good, ask) => {
    let failed = 0;
    await withTempDir(async (dir) => {
      const answers: Buffer[] = [];
      for (const value of values) {
        for (const json of mutated(refusal, value)) answers.push(bytesOf(line(json)));
        for (const [at, part] of good.entries()) {
          for (const json of mutated(part.json, value)) {
            answers.push(Buffer.concat(good.with(at, { ...part, json }).map(bytesOf)));
          }
        }
      }
      for (const [at, answer] of answers.entries()) {
        const { outcome } = await answering(answer, (op, agent) =>
          ask(op, agent, join(dir, `${at}`)),
        );
        if (!isMicroagentError(outcome)) continue;
        failed += 1;
        expect(outcome.code, `${at}`).not.toBe("internal");
        for (const text of Object.values(errorJson(outcome))) {
          if (typeof text === "string") expectOneLine(text, `${at}`);
        }
      }
    });
    expect(failed).toBeGreaterThan(20);
  },
  60_000,
);
