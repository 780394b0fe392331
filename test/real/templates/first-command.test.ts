import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ExecRequest, Execution } from "../../../src/agent/exec.ts";
import { type Op, withOp } from "../../../src/base/op.ts";
import { cloneTemplate } from "../../../src/workspace/templates/clone.ts";
import { ensureTemplate } from "../../../src/workspace/templates/ensure.ts";
import type { Template } from "../../../src/workspace/templates/template.ts";
import type { Workspace } from "../../../src/workspace/workspace.ts";
import { openWorkbench, type Workbench } from "../../fixtures/workbench.ts";
import { someBoot, someTemplate } from "../../support/boot-request.ts";
import { sh } from "../../support/root-shell.ts";

let bench: Workbench;
let quiet: Template;
let busy: Template;
beforeAll(async () => {
  bench = await openWorkbench();
  const made = (setup: string) =>
    during((op) =>
      ensureTemplate(
        op,
        bench.engine,
        someTemplate(someBoot(bench.image, { memoryMib: 192 }), { setup: [setup] }),
      ),
    );
  quiet = await made("true");
  busy = await made("(while :; do sleep 1; done > /dev/null 2>&1 &)");
});
afterAll(async () => {
  await bench[Symbol.asyncDispose]();
});

function during<T>(work: (op: Op) => Promise<T>): Promise<T> {
  return withOp("first", { timeoutMs: 400_000 }, work);
}

function command(script: string, change: Partial<ExecRequest> = {}): ExecRequest {
  return {
    argv: ["/bin/sh", "-c", script],
    env: ["PATH=/bin"],
    cwd: "/",
    user: "0:0",
    stdin: false,
    tty: null,
    timeoutMs: null,
    ...change,
  };
}

async function ended(execution: Execution) {
  let text = "";
  for await (const { stream, data } of execution.output)
    text += `${stream[3]}:${Buffer.from(data)}`;
  return { text, ...(await execution.result) };
}

/** Its process was there before the machine was saved, so it is asked for in all the ways that there are. */
describe.each(["quiet", "busy"])("the first command of a clone whose template was %s", (kind) => {
  let made = 0;
  async function first(work: (op: Op, workspace: Workspace) => Promise<void>): Promise<void> {
    await during(async (op) => {
      const name = `first-${kind}-${made++}`;
      const request = { name, hostname: name, bootMs: 120_000 };
      const template = kind === "quiet" ? quiet : busy;
      await using workspace = await cloneTemplate(op, bench.engine, template, request);
      await work(op, workspace);
      expect(await sh(op, workspace, "echo and the second")).toBe("and the second");
      const agents = "ls -l /proc/[0-9]*/exe 2>/dev/null | grep -c ' /init$' || true";
      expect(Number(await sh(op, workspace, agents)), "no process waits any more").toBeLessThan(2);
    });
  }

  test("gives its output and its status, as who and where it was asked to be", async () => {
    await first(async (op, workspace) => {
      const script = "echo $(id -u):$(id -g) in $PWD with $WORD; echo bad >&2; exit 3";
      const asked = { user: "12:34", cwd: "/tmp", env: ["PATH=/bin", "WORD=it"] };
      const end = await ended(await workspace.exec(op, command(script, asked)));
      expect(end.text).toContain("o:12:34 in /tmp with it\n");
      expect(end.text).toContain("e:bad\n");
      expect(end).toMatchObject({ exitCode: 3, oomKilled: false, drained: true });
    });
  });

  test("that cannot be started says why", async () => {
    const refused = (change: Partial<ExecRequest>, words: RegExp) =>
      first(async (op, workspace) => {
        const asked = workspace.exec(op, command("true", change));
        await expect(asked).rejects.toMatchObject({ code: "exec_not_started" });
        await expect(asked).rejects.toThrow(words);
      });
    await refused({ argv: ["/nowhere"] }, /nowhere/);
    await refused({ cwd: "/not-there" }, /not-there/);
    await refused({ user: "nobody-of-that-name" }, /nobody-of-that-name/);
  });

  test("has a terminal, or input, when it is to have one", async () => {
    await first(async (op, workspace) => {
      const tty = { rows: 10, cols: 70 };
      const end = await ended(await workspace.exec(op, command("test -t 0 && stty size", { tty })));
      expect(end).toMatchObject({ exitCode: 0, text: expect.stringContaining("10 70") });
    });
    await first(async (op, workspace) => {
      const execution = await workspace.exec(op, command("cat", { stdin: true }));
      await execution.stdin.write(op, Buffer.from("given"));
      execution.stdin.end();
      expect(await ended(execution)).toMatchObject({ exitCode: 0, text: "o:given" });
    });
  });

  test("is heard of while it runs, told signals, ended by its time, and killed for memory", async () => {
    await first(async (op, workspace) => {
      const execution = await workspace.exec(op, command("trap 'exit 9' TERM; sleep 100 & wait"));
      expect(execution.pid).toBeGreaterThan(1);
      await op.sleep(300);
      execution.signal("SIGTERM");
      expect(await ended(execution)).toMatchObject({ exitCode: 9 });
    });
    await first(async (op, workspace) => {
      const end = await ended(await workspace.exec(op, command("sleep 100", { timeoutMs: 400 })));
      expect(end.status).toBe("timed_out");
    });
    await first(async (op, workspace) => {
      const script = "x=0123456789abcdef; while :; do x=$x$x; done";
      expect(await ended(await workspace.exec(op, command(script)))).toMatchObject({
        oomKilled: true,
      });
    });
  });

  test("knows the accounts that were changed after the clone had begun", async () => {
    await first(async (op, workspace) => {
      const { writeGuestFile } = await import("../../../src/workspace/guest-files.ts");
      const accounts = "root:x:0:0:root:/elsewhere:/bin/sh\n";
      await writeGuestFile(op, workspace, "/etc/passwd", Buffer.from(accounts));
      const end = await ended(await workspace.exec(op, command("echo $HOME")));
      expect(end.text).toBe("o:/elsewhere\n");
    });
  });
});
