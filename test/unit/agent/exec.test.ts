import { Duplex } from "node:stream";
import { expect, test } from "vitest";
import { Agent } from "../../../src/agent/agent.ts";
import { startOp, withOp } from "../../../src/base/op.ts";
import { startMemoryGuest } from "../../../supervisors/memory/guest.ts";
import { command, configuration, withGuest } from "./guests.ts";

test("a command's output, its streams kept apart, and its exit code", async () => {
  const programs = {
    both: async (run: {
      stdout: (s: string) => Promise<void>;
      stderr: (s: string) => Promise<void>;
    }) => {
      await run.stdout("out\n");
      await run.stderr("err\n");
      return 3;
    },
  };
  await withGuest({ programs }, async (op, agent) => {
    const result = await agent.run(op, command("both"));
    expect(result).toMatchObject({
      status: "exited",
      exitCode: 3,
      signal: null,
      oomKilled: false,
      drained: true,
      stdoutTruncated: false,
    });
    expect(result.stdout.toString()).toBe("out\n");
    expect(result.stderr.toString()).toBe("err\n");
    expect(result.endedAt.getTime()).toBeGreaterThanOrEqual(result.startedAt.getTime());
  });
});

test("a command that cannot start says so and why", async () => {
  await withGuest({}, async (op, agent) => {
    await expect(agent.exec(op, command("no\u001bsuch"))).rejects.toMatchObject({
      code: "exec_not_started",
      message: 'The guest cannot run "no\\u001bsuch": no\\x1bsuch: no such file or directory',
      details: { guestCode: "not_started", errno: "ENOENT" },
    });
    await expect(agent.exec(op, { ...command("true"), cwd: "/missing" })).rejects.toMatchObject({
      code: "exec_not_started",
    });
  });
});

test("standard input goes in and comes back, larger than every window", async () => {
  const input = Buffer.alloc(5 * 1024 * 1024, "0123456789");
  await withGuest({}, async (op, agent) => {
    const result = await agent.run(op, command("cat"), { stdin: input });
    expect(result.stdout.equals(input)).toBe(true);
  });
});

test("captured output is cut at its limit and the rest is drained", async () => {
  const programs = {
    flood: async (run: { stdout: (s: Uint8Array) => Promise<void> }) => {
      for (let n = 0; n < 50; n++) await run.stdout(Buffer.alloc(100_000, "x"));
      return 0;
    },
  };
  await withGuest({ programs }, async (op, agent) => {
    const result = await agent.run(op, command("flood"), { stdoutLimit: 1000 });
    expect(result.stdout.length).toBe(1000);
    expect(result.stdoutTruncated).toBe(true);
    expect(result.stderrTruncated).toBe(false);
    expect(result.exitCode).toBe(0);
  });
});

test("output nobody reads stops the command; reading lets it go on", async () => {
  let written = 0;
  const programs = {
    flood: async (run: { stdout: (s: Uint8Array) => Promise<void> }) => {
      for (let n = 0; n < 100; n++) {
        await run.stdout(Buffer.alloc(100_000));
        written += 100_000;
      }
      return 0;
    },
  };
  await withGuest({ programs }, async (op, agent) => {
    const execution = await agent.exec(op, command("flood"));
    for (let turn = 0; turn < 200; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect(written).toBeLessThan(2_500_000);
    let read = 0;
    for await (const { data } of execution.output) read += data.length;
    expect(read).toBe(10_000_000);
    expect((await op.race(execution.result)).exitCode).toBe(0);
  });
});

test("signals, timeouts and kills end a command each in its way", async () => {
  await withGuest({}, async (op, agent) => {
    const signalled = await agent.exec(op, command("sleep", "1000"));
    signalled.signal("SIGTERM");
    expect(await op.race(signalled.result)).toMatchObject({
      status: "signaled",
      signal: "SIGTERM",
      exitCode: null,
    });

    const late = await agent.run(op, { ...command("sleep", "1000"), timeoutMs: 10 });
    expect(late).toMatchObject({ status: "timed_out", signal: "SIGTERM" });

    const killed = await agent.exec(op, command("sleep", "1000"));
    killed.kill();
    await expect(op.race(killed.result)).rejects.toMatchObject({ code: "closed" });
    await expect(
      (async () => {
        for await (const _ of killed.output);
      })(),
    ).rejects.toMatchObject({ code: "closed" });
    killed.kill();
    killed.signal("SIGTERM");
    killed.resize(10, 10);
    await expect(killed.stdin.write(op, Buffer.from("x"))).rejects.toMatchObject({
      code: "closed",
    });
    // The agent is as good as before.
    expect((await agent.run(op, command("true"))).exitCode).toBe(0);
  });
});

test("killing a flooding command whose output nobody reads settles its result", async () => {
  const programs = {
    flood: async (run: { stdout: (s: Uint8Array) => Promise<void> }) => {
      for (;;) await run.stdout(Buffer.alloc(100_000));
    },
  };
  await withGuest({ programs }, async (op, agent) => {
    const execution = await agent.exec(op, command("flood"));
    for (let turn = 0; turn < 200; turn++) await new Promise((resolve) => setImmediate(resolve));
    execution.kill();
    await expect(op.race(execution.result)).rejects.toMatchObject({ code: "closed" });
    expect((await agent.run(op, command("true"))).exitCode).toBe(0);
  });
});

test("a run whose op ends kills its command and leaves the agent alone", async () => {
  let aborted = false;
  const programs = {
    forever: (run: { signal: AbortSignal }) =>
      new Promise<number>(() => {
        run.signal.addEventListener("abort", () => {
          aborted = true;
        });
      }),
  };
  await withGuest({ programs }, async (op, agent) => {
    const { op: short, end } = startOp("short", { timeoutMs: 20 });
    await expect(agent.run(short, command("forever"))).rejects.toMatchObject({ code: "timeout" });
    end();
    expect(aborted).toBe(false);
    expect((await agent.run(op, command("echo", "still here"))).stdout.toString()).toBe(
      "still here\n",
    );
  });
});

test("input for a command that does not read it ends with the command", async () => {
  await withGuest({}, async (op, agent) => {
    const result = await agent.run(op, command("true"), { stdin: Buffer.alloc(3 * 1024 * 1024) });
    expect(result.exitCode).toBe(0);
    const execution = await agent.exec(op, { ...command("true"), stdin: true });
    await op.race(execution.result);
    await expect(execution.stdin.write(op, Buffer.from("late"))).rejects.toMatchObject({
      code: "closed",
    });
  });
});

test("many commands at once", async () => {
  await withGuest({}, async (op, agent) => {
    const results = await Promise.all(
      Array.from({ length: 300 }, (_, n) => agent.run(op, command("echo", String(n)))),
    );
    expect(results.map((result) => result.stdout.toString())).toEqual(
      Array.from({ length: 300 }, (_, n) => `${n}\n`),
    );
  });
});

test("a request that is too long is refused here, with what to do", async () => {
  await withGuest({}, async (op, agent) => {
    await expect(agent.exec(op, command("echo", "x".repeat(70_000)))).rejects.toMatchObject({
      code: "invalid_argument",
      hint: expect.stringContaining("file"),
    });
  });
});

/** A link to an in-memory guest that counts the writes a real socket would make. */
class CountingLink extends Duplex {
  writes = 0;
  readonly #guest: Duplex;

  constructor(guest: Duplex) {
    super();
    this.#guest = guest;
    guest.on("data", (chunk: Buffer) => this.push(chunk));
    guest.on("end", () => this.push(null));
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.writes += 1;
    this.#guest.write(chunk, () => done());
  }

  override _writev(chunks: { chunk: Buffer }[], done: () => void): void {
    this.writes += 1;
    this.#guest.write(Buffer.concat(chunks.map(({ chunk }) => chunk)), () => done());
  }
}

test("a command costs one write: opening, request, and the end of the one before", async () => {
  await withOp("test", { timeoutMs: 10_000 }, async (op) => {
    const guest = startMemoryGuest();
    const link = new CountingLink(guest.hostLink);
    const agent = await Agent.connect(op, link);
    await agent.configure(op, configuration);
    const before = link.writes;
    for (let n = 0; n < 50; n++) await agent.run(op, command("true"));
    expect(link.writes - before).toBe(50);
    agent.close();
    guest.crash();
  });
});
