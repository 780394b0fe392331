import { execFile } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Agent } from "../../src/agent/agent.ts";
import { readHostTree, writeHostTree } from "../../src/agent/host-tree.ts";
import { singleFileTree, type TreeItem, treeEntry } from "../../src/agent/tree.ts";
import { type Op, withOp } from "../../src/base/op.ts";
import { startMemoryGuest } from "../../supervisors/memory/guest.ts";
import { collect, command, configuration, itemsOf, withTempDir } from "../unit/agent/guests.ts";
import { startLinked } from "./child-link.ts";

/** One suite over every guest that speaks the protocol: the real agent and the in-memory one. */

const root = join(import.meta.dirname, "../..");
const agentPath = join(
  root,
  `guest/bin/microagent-agent-linux-${process.arch === "arm64" ? "arm64" : "amd64"}`,
);

let work = "";
beforeAll(async () => {
  work = await mkdtemp(join(tmpdir(), "microagent-contract-"));
  await promisify(execFile)("node", [join(root, "scripts/build-guest.mjs")]);
}, 300_000);
afterAll(async () => await rm(work, { recursive: true, force: true }));

interface Guest {
  readonly name: string;
  /** Runs a test body against a fresh guest with a writable directory of its own. */
  with(body: (op: Op, agent: Agent, dir: string) => Promise<void>): Promise<void>;
}

const guests: readonly Guest[] = [
  {
    name: "agent",
    with: async (body) => {
      const dir = await mkdtemp(join(work, "guest-"));
      const child = startLinked(agentPath, "--stdio");
      try {
        await withOp("test", { timeoutMs: 30_000 }, async (op) => {
          const agent = await Agent.connect(op, child.link);
          await agent.configure(op, configuration);
          await body(op, agent, dir);
          agent.close();
        });
      } finally {
        await child.stop();
      }
    },
  },
  {
    name: "memory",
    with: async (body) => {
      const guest = startMemoryGuest({});
      await withOp("test", { timeoutMs: 30_000 }, async (op) => {
        const agent = await Agent.connect(op, guest.hostLink);
        await agent.configure(op, configuration);
        guest.files.makeDir("/work");
        await body(op, agent, "/work");
        agent.close();
      });
    },
  },
];

const sh = (text: string) => ({ ...command("sh", "-c", text), env: ["PATH=/usr/bin:/bin", "A=1"] });

describe.each(guests)("the guest agent ($name)", (guest) => {
  test("is configured once and answers pings", async () => {
    await guest.with(async (op, agent) => {
      await agent.ping(op);
      await expect(agent.configure(op, configuration)).rejects.toMatchObject({
        code: "guest_refused",
        details: { guestCode: "already_configured" },
      });
    });
  });

  test("runs commands: output apart, exit code, environment, directory", async () => {
    await guest.with(async (op, agent, dir) => {
      const result = await agent.run(op, sh("echo out; echo err >&2; exit 3"));
      expect(result).toMatchObject({ status: "exited", exitCode: 3, signal: null, drained: true });
      expect(result.stdout.toString()).toBe("out\n");
      expect(result.stderr.toString()).toBe("err\n");
      const here = await agent.run(op, { ...sh("pwd"), cwd: dir });
      expect(here.stdout.toString()).toBe(`${dir}\n`);
      const env = await agent.run(op, sh("env"));
      expect(env.stdout.toString().split("\n")).toContain("A=1");
    });
  });

  test("tells a command that never started from one that failed", async () => {
    await guest.with(async (op, agent) => {
      const missing = { ...command("/no/such/program"), env: [] };
      await expect(agent.exec(op, missing)).rejects.toMatchObject({
        code: "exec_not_started",
        details: { guestCode: "not_started", errno: "ENOENT" },
      });
      await expect(agent.exec(op, { ...sh("true"), cwd: "/no/such/dir" })).rejects.toMatchObject({
        code: "exec_not_started",
        details: { errno: "ENOENT" },
      });
      expect((await agent.run(op, sh("false"))).exitCode).toBe(1);
    });
  });

  test("passes standard input through, megabytes of it, and bytes as they are", async () => {
    await guest.with(async (op, agent) => {
      const input = randomBytes(6_000_000);
      const result = await agent.run(op, sh("cat"), { stdin: input });
      expect(result.stdout.equals(input)).toBe(true);
    });
  });

  test("signals, timeouts and kills end a command", async () => {
    await guest.with(async (op, agent) => {
      const sleeping = await agent.exec(op, sh("sleep 1000"));
      sleeping.signal("SIGTERM");
      expect(await op.race(sleeping.result)).toMatchObject({
        status: "signaled",
        signal: "SIGTERM",
      });
      const late = await agent.run(op, { ...sh("sleep 1000"), timeoutMs: 50 });
      expect(late.status).toBe("timed_out");
      const killed = await agent.exec(op, sh("sleep 1000"));
      killed.kill();
      await expect(op.race(killed.result)).rejects.toMatchObject({ code: "closed" });
      expect((await agent.run(op, sh("true"))).exitCode).toBe(0);
    });
  });

  test("runs many commands at once", async () => {
    await guest.with(async (op, agent) => {
      const results = await Promise.all(
        Array.from({ length: 50 }, (_, n) => agent.run(op, sh(`echo ${n}`))),
      );
      expect(results.map((result) => result.stdout.toString())).toEqual(
        Array.from({ length: 50 }, (_, n) => `${n}\n`),
      );
    });
  });

  test("takes a tree and gives it back as it was", async () => {
    await guest.with(async (op, agent, dir) => {
      const file = (path: string, content: string, mode: number): TreeItem[] => [
        {
          kind: "entry",
          entry: treeEntry({ path, type: "file", mode, sizeBytes: content.length }),
        },
        { kind: "data", data: Buffer.from(content) },
        { kind: "entry-end" },
      ];
      const sent: TreeItem[] = [
        { kind: "entry", entry: treeEntry({ path: "", type: "dir", mode: 0o755 }) },
        { kind: "entry", entry: treeEntry({ path: "sub", type: "dir", mode: 0o700 }) },
        ...file("sub/a", "alpha", 0o600),
        ...file("z", "last", 0o755),
        {
          kind: "entry",
          entry: treeEntry({ path: "link", type: "symlink", mode: 0o777, link: "z" }),
        },
      ];
      expect(await agent.put(op, `${dir}/tree`, itemsOf(...sent))).toMatchObject({
        entries: 5,
        bytes: 9,
      });
      const items = await collect(await agent.get(op, `${dir}/tree`));
      const got = new Map(
        items.flatMap((item) =>
          item.kind === "entry" ? [[item.entry.path, item.entry] as const] : [],
        ),
      );
      expect([...got.keys()].sort()).toEqual(["", "link", "sub", "sub/a", "z"]);
      expect(got.get("sub/a")).toMatchObject({ type: "file", mode: 0o600, sizeBytes: 5 });
      expect(got.get("link")).toMatchObject({ type: "symlink", link: "z" });
      expect(items[0]).toMatchObject({ entry: { path: "", type: "dir" } });
      expect(items.at(-1)).toMatchObject({ kind: "end", entries: 5, bytes: 9, truncated: false });
      expect((await agent.readdir(op, `${dir}/tree`)).map((entry) => entry.path)).toEqual([
        "link",
        "sub",
        "z",
      ]);
      expect(await agent.stat(op, `${dir}/tree/link`)).toMatchObject({
        type: "file",
        sizeBytes: 4,
      });
      expect(await agent.stat(op, `${dir}/tree/link`, { follow: false })).toMatchObject({
        type: "symlink",
      });
    });
  });

  test("moves a big file from host to guest and back, and keeps its digest", async () => {
    await guest.with(async (op, agent, dir) => {
      const data = randomBytes(20_000_000);
      await agent.put(op, `${dir}/deep/er/big`, singleFileTree(data, { mode: 0o640 }));
      await withTempDir(async (host) => {
        const items = await collect(await agent.get(op, `${dir}/deep`));
        const manifest = await writeHostTree(op, itemsOf(...items), host);
        expect(manifest.failure).toBeNull();
        expect(manifest.files).toEqual([
          {
            path: "er/big",
            sizeBytes: data.length,
            sha256: createHash("sha256").update(data).digest("hex"),
            mode: 0o640,
          },
        ]);
        await agent.put(op, `${dir}/again`, readHostTree(op, host));
        expect(await agent.stat(op, `${dir}/again/er/big`)).toMatchObject({
          sizeBytes: data.length,
        });
      });
    });
  });

  test("says what is not there, and keeps the caps it is given", async () => {
    await guest.with(async (op, agent, dir) => {
      await expect(agent.get(op, `${dir}/none`)).rejects.toMatchObject({
        code: "guest_file_not_found",
      });
      await expect(agent.stat(op, `${dir}/none`)).rejects.toMatchObject({
        code: "guest_file_not_found",
      });
      await expect(agent.readdir(op, `${dir}/none`)).rejects.toMatchObject({
        code: "guest_file_not_found",
      });
      await agent.put(op, `${dir}/t/one`, singleFileTree(Buffer.from("12345")));
      await agent.put(op, `${dir}/t/two`, singleFileTree(Buffer.from("12345")));
      await expect(agent.readdir(op, `${dir}/t/one`)).rejects.toMatchObject({
        details: { guestCode: "not_a_directory" },
      });
      const few = await collect(await agent.get(op, `${dir}/t`, { maxEntries: 2 }));
      expect(few.at(-1)).toMatchObject({ kind: "end", entries: 2, truncated: true });
    });
  });

  test("refuses a put below a file, while it is sent or before", async () => {
    await guest.with(async (op, agent, dir) => {
      await agent.put(op, `${dir}/file`, singleFileTree(Buffer.from("x")));
      async function* endless(): AsyncIterable<TreeItem> {
        yield { kind: "entry", entry: treeEntry({ path: "", type: "file" }) };
        for (;;) yield { kind: "data", data: Buffer.alloc(100_000) };
      }
      await expect(agent.put(op, `${dir}/file/below`, endless())).rejects.toMatchObject({
        code: "guest_refused",
        details: { guestCode: "not_a_directory" },
      });
      expect((await agent.run(op, sh("true"))).exitCode).toBe(0);
    });
  });

  test("powers off in good order", async () => {
    await guest.with(async (op, agent) => {
      await agent.powerOff(op, 100);
      expect((await op.race(agent.closed)).code).toBe("channel_closed");
    });
  });
});
