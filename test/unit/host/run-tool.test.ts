import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { withOp } from "../../../src/base/op.ts";
import { findTool, runTool } from "../../../src/host/run-tool.ts";

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "microagent-tool-"));
});
afterEach(async () => {
  await rm(dir, { recursive: true, force: true });
});

/** Numbers of the processes whose words hold this text. */
async function processesWith(text: string): Promise<string[]> {
  const found: string[] = [];
  for (const pid of await readdir("/proc")) {
    const words = /^\d+$/.test(pid)
      ? await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")
      : "";
    if (words.includes(text)) found.push(pid);
  }
  return found;
}

describe("runTool", () => {
  test("returns both outputs and passes input, directory and variables", async () => {
    const script = 'cat; pwd; echo "$GREETING" >&2';
    const result = await withOp("t", {}, (op) =>
      runTool(op, "sh", ["-c", script], { input: "in\n", cwd: dir, env: { GREETING: "hello" } }),
    );
    expect(result).toEqual({ stdout: `in\n${dir}\n`, stderr: "hello\n" });
  });

  test("writes standard output to a file when asked", async () => {
    const stdoutPath = join(dir, "out");
    await withOp("t", {}, (op) => runTool(op, "echo", ["to the file"], { stdoutPath }));
    expect(await readFile(stdoutPath, "utf8")).toBe("to the file\n");
  });

  test("hides our environment unless told otherwise", async () => {
    process.env.MICROAGENT_TEST_SECRET = "swordfish";
    try {
      const [plain, inherited] = await withOp("t", {}, async (op) => [
        await runTool(op, "env", []),
        await runTool(op, "env", [], { inheritEnv: true }),
      ]);
      expect(plain?.stdout).not.toContain("swordfish");
      expect(inherited?.stdout).toContain("swordfish");
    } finally {
      delete process.env.MICROAGENT_TEST_SECRET;
    }
  });

  test("a failure carries the status and the last words", async () => {
    const attempt = withOp("t", {}, (op) =>
      runTool(op, "sh", ["-c", "echo 'no disk' >&2; exit 3"]),
    );
    await expect(attempt).rejects.toMatchObject({
      code: "host_tool_failed",
      message: 'Program "sh" ended with status 3: no disk',
      details: { exitCode: 3, stderr: "no disk" },
    });
  });

  test("a missing tool says how to install it", async () => {
    const attempt = withOp("t", {}, (op) => runTool(op, "microagent-no-such-program", []));
    await expect(attempt).rejects.toMatchObject({ code: "host_tool_missing" });
  });

  test("ends the tool and its children with the op", async () => {
    const mark = `60${process.pid}`;
    const attempt = withOp("t", { timeoutMs: 200 }, (op) =>
      runTool(op, "sh", ["-c", `sleep ${mark} & sleep ${mark}`]),
    );
    await expect(attempt).rejects.toMatchObject({ code: "timeout" });
    await expect.poll(() => processesWith(`sleep\0${mark}`), { timeout: 10_000 }).toEqual([]);
  }, 20_000);

  test("bounds what a tool may print", async () => {
    const attempt = withOp("t", {}, (op) => runTool(op, "sh", ["-c", "yes | head -c 40000000"]));
    await expect(attempt).rejects.toMatchObject({ code: "host_tool_failed" });
  }, 20_000);

  test("finds programs by name and by path", async () => {
    expect(await findTool("sh")).toMatch(/\/sh$/);
    expect(await findTool("/bin/sh")).toBe("/bin/sh");
    expect(await findTool(dir)).toBeNull();
    expect(await findTool("microagent-no-such-program")).toBeNull();
  });
});
