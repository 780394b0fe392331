import { expect, test } from "vitest";
import { Agent } from "../../../src/agent/agent.ts";
import { isMicroagentError, MicroagentError } from "../../../src/base/errors.ts";
import { startOp, withOp } from "../../../src/base/op.ts";
import { startMemoryGuest } from "../../../supervisors/memory/guest.ts";
import type { GuestFault } from "../../../supervisors/memory/guest-script.ts";
import { command, configuration, withGuest } from "./guests.ts";

test("hello, configure once, ping, power off", async () => {
  await withOp("test", { timeoutMs: 10_000 }, async (op) => {
    const guest = startMemoryGuest({ hello: { kernel: "6.1.192" } });
    const agent = await Agent.connect(op, guest.hostLink);
    expect(agent.hello).toMatchObject({ kernel: "6.1.192", arch: "x86_64" });
    await expect(agent.exec(op, command("true"))).rejects.toMatchObject({
      code: "guest_refused",
      details: { guestCode: "not_configured" },
    });
    expect(await agent.configure(op, configuration)).toEqual({ timingsMs: { total: 0 } });
    await expect(agent.configure(op, configuration)).rejects.toMatchObject({
      details: { guestCode: "already_configured" },
    });
    await agent.ping(op);
    await agent.powerOff(op, 100);
    await op.race(guest.poweredOff);
    expect((await op.race(agent.closed)).code).toBe("channel_closed");
  });
});

test("after close every call fails with one code", async () => {
  await withGuest({}, async (op, agent) => {
    const running = await agent.exec(op, command("sleep", "1000"));
    agent.close();
    agent.close();
    const calls: Promise<unknown>[] = [
      agent.ping(op),
      agent.configure(op, configuration),
      agent.exec(op, command("true")),
      agent.run(op, command("true")),
      agent.put(op, "/x", (async function* () {})()),
      agent.get(op, "/x"),
      agent.stat(op, "/x"),
      agent.readdir(op, "/"),
      agent.powerOff(op, 0),
      running.result,
    ];
    for (const outcome of await Promise.allSettled(calls)) {
      expect(outcome).toMatchObject({ status: "rejected", reason: { code: "closed" } });
    }
    expect((await agent.closed).code).toBe("closed");
  });
});

test("a machine's death can be the reason of every pending call", async () => {
  await withGuest({}, async (op, agent) => {
    const running = await agent.exec(op, command("sleep", "1000"));
    const reason = new MicroagentError("machine_killed", "The VMM was killed");
    agent.close(reason);
    await expect(op.race(running.result)).rejects.toBe(reason);
  });
});

async function failureUnder(fault: GuestFault): Promise<{ code: string; message: string }> {
  try {
    await withGuest({ fault }, async (op, agent) => await agent.run(op, command("echo", "x")));
    return { code: "none", message: "" };
  } catch (error) {
    if (!isMicroagentError(error)) throw error;
    return { code: error.code, message: error.message };
  }
}

test.each<[GuestFault, string, string]>([
  [{ kind: "bad-hello" }, "protocol_violation", "before its handshake"],
  [
    { kind: "refuses", code: "no_root", message: "no disk" },
    "guest_refused",
    "cannot serve: no disk",
  ],
  [
    { kind: "raw-on-exec", bytes: Buffer.from("Kernel panic - not syncing") },
    "protocol_violation",
    'version "75"',
  ],
  [{ kind: "oversized-frame-on-exec" }, "protocol_violation", 'data length "4294967295"'],
  [{ kind: "dies-mid-exec" }, "channel_closed", "ended"],
])("a guest with %o ends in one clear error", async (fault, code, message) => {
  expect(await failureUnder(fault)).toEqual({ code, message: expect.stringContaining(message) });
});

test("a guest that opens ten thousand streams is served all the same", async () => {
  const fault = { kind: "stream-flood-on-exec", count: 10_000 } as const;
  await withGuest({ fault }, async (op, agent) => {
    expect((await agent.run(op, command("echo", "x"))).stdout.toString()).toBe("x\n");
  });
});

test("guests that never answer are given up with the op", async () => {
  const { op, end } = startOp("test", { timeoutMs: 30 });
  const silent = startMemoryGuest({ fault: { kind: "silent" } });
  await expect(Agent.connect(op, silent.hostLink)).rejects.toMatchObject({ code: "timeout" });
  end();
  await withGuest({ fault: { kind: "hangs-on-exec" } }, async (_op, agent) => {
    const short = startOp("exec", { timeoutMs: 20 });
    await expect(agent.exec(short.op, command("true"))).rejects.toMatchObject({ code: "timeout" });
    short.end();
  });
});

test("stat and readdir", async () => {
  await withGuest(
    { files: { "/d/b": "bb", "/d/a": "a", "/d/c/x": "" } },
    async (op, agent, guest) => {
      guest.files.makeLink("/d/l", "a");
      expect(
        (await agent.readdir(op, "/d")).map((entry) => [entry.path, entry.type, entry.sizeBytes]),
      ).toEqual([
        ["a", "file", 1],
        ["b", "file", 2],
        ["c", "dir", 0],
        ["l", "symlink", 0],
      ]);
      expect(await agent.stat(op, "/d/l")).toMatchObject({ type: "file", sizeBytes: 1 });
      expect(await agent.stat(op, "/d/l", { follow: false })).toMatchObject({
        type: "symlink",
        link: "a",
      });
      await expect(agent.stat(op, "/nope")).rejects.toMatchObject({
        code: "guest_file_not_found",
        message: 'The guest cannot stat "/nope": /nope: no such file or directory',
      });
      await expect(agent.readdir(op, "/d/a")).rejects.toMatchObject({
        details: { guestCode: "not_a_directory" },
      });
    },
  );
});
