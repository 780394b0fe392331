import { describe, expect, test } from "vitest";
import { Agent } from "../../../../src/agent/agent.ts";
import { type Clock, withOp } from "../../../../src/base/op.ts";
import { startMemoryGuest } from "../../../../supervisors/memory/guest.ts";
import { MemoryFiles } from "../../../../supervisors/memory/guest-files.ts";
import type { ProgramRun } from "../../../../supervisors/memory/guest-script.ts";
import { collect, command, withGuest } from "../../agent/guests.ts";

const sh = (text: string) => command("sh", "-c", text);

describe("the shell of the in-memory guest", () => {
  test.each([
    ["echo a; echo b", 0, "a\nb\n", ""],
    ["echo 'a  b' \"c;d\" e'f'g", 0, "a  b c;d efg\n", ""],
    ["true && echo yes", 0, "yes\n", ""],
    ["false && echo no", 1, "", ""],
    ["false; echo on", 0, "on\n", ""],
    ["echo one\n\n  echo two\n", 0, "one\ntwo\n", ""],
    ["echo oops >&2; exit 7; echo never", 7, "", "oops\n"],
    ["echo kept > /tmp/f; cat /tmp/f /tmp/f", 0, "kept\nkept\n", ""],
    ["cat /missing", 1, "", "cat: /missing: No such file or directory\n"],
    ["nope", 127, "", "sh: nope: not found\n"],
    ["echo -n x", 0, "x", ""],
    ["", 0, "", ""],
  ])("%j", async (text, exitCode, stdout, stderr) => {
    await withGuest({}, async (op, agent) => {
      const result = await agent.run(op, sh(text));
      expect(result.stdout.toString()).toBe(stdout);
      expect(result.stderr.toString()).toBe(stderr);
      expect(result.exitCode).toBe(exitCode);
    });
  });

  test.each(["echo $HOME", "a | b", "echo `date`", "if true; then echo; fi $(x)", "ls *", "a & b"])(
    "%j is refused rather than misunderstood",
    async (text) => {
      await withGuest({}, async (op, agent) => {
        const result = await agent.run(op, sh(text));
        expect(result.stderr.toString()).toMatch(
          /is not understood by the in-memory guest|not found/,
        );
        expect(result.exitCode).not.toBe(0);
      });
    },
  );
});

test("scripted programs see their arguments, environment, files and input, and win over built-in ones", async () => {
  const programs = {
    true: () => 9,
    build: async (run: ProgramRun) => {
      const input = Buffer.concat(await collect(run.stdin)).toString();
      run.files.write(
        "/out/report",
        `${run.argv.join(" ")}|${run.env.get("A")}|${run.user}|${input}`,
      );
      return { signal: "SIGSEGV" };
    },
    crash: () => {
      throw new TypeError("a bug in a script");
    },
  };
  await withGuest({ programs }, async (op, agent, guest) => {
    expect((await agent.run(op, command("/bin/true"))).exitCode).toBe(9);
    const built = await agent.run(op, command("build", "x"), { stdin: Buffer.from("in") });
    expect(built).toMatchObject({ status: "signaled", signal: "SIGSEGV", exitCode: null });
    expect(guest.files.read("/out/report")?.toString()).toBe("build x|1|root|in");
    expect(await agent.run(op, command("crash"))).toMatchObject({ signal: "SIGABRT" });
  });
});

test("a workload can power the machine off while it is needed", async () => {
  await withGuest({}, async (op, agent, guest) => {
    await expect(agent.run(op, sh("poweroff; sleep 100"))).rejects.toMatchObject({
      code: "channel_closed",
    });
    await op.race(guest.poweredOff);
  });
});

test("a guest that ignores power-off goes on", async () => {
  await withGuest({ fault: { kind: "ignores-power-off" } }, async (op, agent) => {
    await agent.powerOff(op, 10);
    await agent.ping(op);
  });
});

test("timeouts and sleeps go by the script's clock", async () => {
  const due: (() => void)[] = [];
  const clock: Clock = {
    now: () => 1_000_000,
    monotonic: () => 0,
    after: (_ms, callback) => {
      due.push(callback);
      return () => {};
    },
  };
  await withGuest({ clock }, async (op, agent) => {
    const sleeping = await agent.exec(op, command("sleep", "100000"));
    expect(due.length).toBe(1);
    due[0]?.();
    expect(await op.race(sleeping.result)).toMatchObject({
      exitCode: 0,
      endedAt: new Date(1_000_000),
    });
  });
});

test("crash ends the link and nothing is answered any more", async () => {
  await withOp("test", { timeoutMs: 10_000 }, async (op) => {
    const guest = startMemoryGuest();
    const agent = await Agent.connect(op, guest.hostLink);
    guest.crash();
    guest.crash();
    expect((await op.race(agent.closed)).code).toBe("channel_closed");
    await expect(agent.ping(op)).rejects.toMatchObject({ code: "channel_closed" });
    expect(guest.hostLink.readableEnded || guest.hostLink.destroyed).toBe(true);
  });
});

test("files: parents are made, links followed, removal takes what is below", () => {
  const files = new MemoryFiles();
  files.write("/a/b/c", "text");
  files.makeLink("/l", "a/b");
  files.makeLink("/loop", "loop");
  expect(files.names("/")).toEqual(["a", "l", "loop"]);
  expect(files.names("/a")).toEqual(["b"]);
  expect(files.follow("/l")?.type).toBe("dir");
  expect(files.follow("/loop")).toBeNull();
  expect(files.read("/a/../a/b/c")?.toString()).toBe("text");
  files.remove("/a");
  expect(files.get("/a/b/c")).toBeNull();
  expect(files.get("/")).not.toBeNull();
});
