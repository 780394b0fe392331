import {
  appendFile,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { AuditEvent } from "../../../src/egress/audit-event.ts";
import { openAuditLog, readAuditLog, summarizeAudit } from "../../../src/egress/audit-log.ts";
import { visitAuditLog } from "../../../src/egress/read-audit.ts";
import { identity } from "./guest-network.ts";

async function withLog(work: (path: string) => Promise<void>): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), "microagent-audit-"));
  try {
    await work(join(dir, "egress.jsonl"));
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

function event(part: Partial<AuditEvent> = {}): AuditEvent {
  return { event: "egress_allow", host: "a.test", dst: "1.2.3.4:443", reason: "ok", ...part };
}

test("what is written is read, in order, by the owner only", async () => {
  await withLog(async (path) => {
    expect(await readAuditLog(path)).toEqual({ events: [], integrity: "complete" });
    const log = openAuditLog(path, { identity });
    for (let at = 0; at < 500; at++) log.write(event({ operation_id: String(at) }));
    await log.close();
    await log.close();
    const { events, integrity } = await readAuditLog(path);
    expect(integrity).toBe("complete");
    expect(events.map(({ operation_id }) => Number(operation_id))).toEqual([...Array(500).keys()]);
    expect(events[0]).toMatchObject({ runtime_id: "ws-test", session_id: "s1", unlisted: false });
    expect((await stat(path)).mode & 0o777).toBe(0o600);
  });
});

test("a guest's text makes no line of its own and no long one", async () => {
  await withLog(async (path) => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.string({ unit: "binary", maxLength: 600 }), { maxLength: 5 }),
        async (texts) => {
          await rm(path, { force: true });
          const log = openAuditLog(path, { identity });
          for (const text of texts)
            log.write(
              event({ host: `${text}\n{"event":"egress_allow"}`, dst: text, reason: text }),
            );
          await log.close();
          const lines = (await readFile(path, "utf8").catch(() => "")).split("\n").slice(0, -1);
          expect(lines).toHaveLength(texts.length);
          expect(lines.every((line) => line.length < 8_192)).toBe(true);
          expect((await readAuditLog(path)).events).toHaveLength(texts.length);
        },
      ),
      { numRuns: 10 },
    );
  });
});

test("files are put aside by size; what fell off the end is missing, and said to be", async () => {
  await withLog(async (path) => {
    const log = openAuditLog(path, { identity, maxBytes: 2_000, backups: 2 });
    for (let at = 0; at < 5; at++) {
      log.write(event());
      await log.flush();
    }
    expect(await readAuditLog(path)).toMatchObject({
      events: { length: 5 },
      integrity: "complete",
    });
    for (let at = 0; at < 40; at++) {
      log.write(event());
      await log.flush();
    }
    await log.close();
    expect((await readdir(join(path, ".."))).sort()).toEqual([
      "egress.jsonl",
      "egress.jsonl.1",
      "egress.jsonl.2",
    ]);
    const { events, integrity } = await readAuditLog(path);
    expect(integrity).toEqual({ problem: `${45 - events.length} lines were lost` });
  });
});

test("lines that could not be written are marked as soon as one can be", async () => {
  await withLog(async (path) => {
    await mkdir(path);
    const log = openAuditLog(path, { identity });
    log.write(event());
    log.write(event());
    await log.flush();
    expect(log.lost).toBe(2);
    await rm(path, { recursive: true });
    log.write(event());
    await log.close();
    const { events, integrity } = await readAuditLog(path);
    expect(events).toHaveLength(1);
    expect(integrity).toEqual({ problem: "2 lines were lost" });
  });
});

test("more lines than the disk takes are lost and marked", async () => {
  await withLog(async (path) => {
    const log = openAuditLog(path, { identity });
    for (let at = 0; at < 30_000; at++) log.write(event());
    await log.close();
    expect(log.lost).toBeGreaterThan(0);
    const { events, integrity } = await readAuditLog(path);
    expect(events.length + log.lost).toBe(30_000);
    expect(integrity).toEqual({ problem: `${log.lost} lines were lost` });
  });
});

test.each([
  ["no JSON", "nonsense\n", 'Line 2 of "egress.jsonl" is no audit line'],
  ["an unknown event", '{"event":"x"}\n', 'Line 2 of "egress.jsonl" is no audit line'],
  ["a line that is cut off", '{"event":"egr', 'The last line of "egress.jsonl" is cut off'],
])("after %s the events before it are returned, with the problem", async (_name, tail, problem) => {
  await withLog(async (path) => {
    const log = openAuditLog(path, { identity });
    log.write(event());
    await log.close();
    await appendFile(path, tail);
    const reading = await readAuditLog(path);
    expect(reading.events).toHaveLength(1);
    expect(reading.integrity).toEqual({ problem });
  });
});

test("a line taken out of the middle is missed", async () => {
  await withLog(async (path) => {
    const log = openAuditLog(path, { identity });
    for (let at = 0; at < 3; at++) log.write(event());
    await log.close();
    const lines = (await readFile(path, "utf8")).split("\n");
    await writeFile(path, [lines[0], lines[2], ""].join("\n"));
    expect((await readAuditLog(path)).integrity).toEqual({ problem: "1 line was lost" });
  });
});

test("whoever wrote a log misses its end, and the log itself", async () => {
  await withLog(async (path) => {
    const log = openAuditLog(path, { identity });
    for (const host of ["a", "b", "c"]) log.write(event({ host }));
    await log.close();
    expect((await readAuditLog(path, log.position)).integrity).toBe("complete");
    const lines = (await readFile(path, "utf8")).split("\n");
    await writeFile(path, `${lines.slice(0, 1).join("\n")}\n`);
    expect((await readAuditLog(path)).integrity).toBe("complete");
    const cut = await readAuditLog(path, log.position);
    expect([cut.events.length, cut.integrity]).toEqual([1, { problem: "2 lines were lost" }]);
    await rm(path);
    expect((await readAuditLog(path, log.position)).integrity).toEqual({
      problem: "3 lines were lost",
    });
  });
});

test("a log can be gone through without being kept", async () => {
  await withLog(async (path) => {
    const log = openAuditLog(path, { identity });
    for (const host of ["a", "b"]) log.write(event({ host }));
    await log.close();
    await appendFile(path, "{");
    const hosts: string[] = [];
    const integrity = await visitAuditLog(path, log.position, ({ host }) => hosts.push(host));
    expect(hosts).toEqual(["a", "b"]);
    expect(integrity).toEqual({ problem: 'The last line of "egress.jsonl" is cut off' });
  });
});

test("a line that came after the end is missed as well", async () => {
  await withLog(async (path) => {
    const log = openAuditLog(path, { identity });
    log.write(event());
    await log.close();
    log.write(event());
    expect((await readAuditLog(path, log.position)).integrity).toEqual({
      problem: "1 line was lost",
    });
  });
});

test("the summary counts decisions by host", async () => {
  await withLog(async (path) => {
    const log = openAuditLog(path, { identity });
    const signal = "denied";
    log.write(event({ event: "egress_listen", host: "", dst: "" }));
    log.write(event({ event: "egress_dns_allow" }));
    log.write(event());
    log.write(event({ event: "egress_close" }));
    log.write(event({ event: "egress_deny", host: "", dst: "10.0.0.1:80", count: 3, signal }));
    log.write(event({ event: "egress_dns_deny", host: "evil.test", dst: "A", signal }));
    await log.close();
    expect(summarizeAudit((await readAuditLog(path)).events)).toEqual({
      decision_count: 4,
      by_event: {
        egress_listen: 1,
        egress_dns_allow: 1,
        egress_allow: 1,
        egress_close: 1,
        egress_deny: 1,
        egress_dns_deny: 1,
      },
      allow_by_host: { "a.test": 1 },
      deny_by_host: { "10.0.0.1:80": 3, "evil.test": 1 },
      allowable: ["10.0.0.1:80", "evil.test"],
    });
  });
});
