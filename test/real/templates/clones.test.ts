import { open, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Op, withOp } from "../../../src/base/op.ts";
import { cloneTemplate } from "../../../src/workspace/templates/clone.ts";
import { ensureTemplate } from "../../../src/workspace/templates/ensure.ts";
import type { Template, TemplateRequest } from "../../../src/workspace/templates/template.ts";
import type { Workspace } from "../../../src/workspace/workspace.ts";
import { openWorkbench, type Workbench } from "../../fixtures/workbench.ts";
import { someBoot, someTemplate } from "../../support/boot-request.ts";
import { sh } from "../../support/root-shell.ts";

let bench: Workbench;
beforeAll(async () => {
  bench = await openWorkbench();
});
afterAll(async () => {
  await bench[Symbol.asyncDispose]();
});

function during<T>(work: (op: Op) => Promise<T>): Promise<T> {
  return withOp("clones", { timeoutMs: 400_000 }, work);
}

/** Prints what must never be the same in two machines, as fast as it can, from before the saving on. */
const chatter =
  '(while :; do echo "$(cat /proc/sys/kernel/random/uuid) $(head -c 16 /dev/urandom | hexdump -e \'16/1 "%02x"\')"; done > /chatter 2>&1 &)';

function request(kernel: string, change: Partial<TemplateRequest> = {}): TemplateRequest {
  return someTemplate(someBoot(bench.image, { kernel }), {
    setup: [
      "cat /proc/sys/kernel/random/boot_id > /boot-id",
      "echo 0123456789abcdef0123456789abcdef > /etc/machine-id",
      "echo from-setup > /note",
      chatter,
      "while [ $(wc -l < /chatter) -lt 3 ]; do sleep 0.05; done",
    ],
    ...change,
  });
}

function cloneNamed(name: string) {
  return { name, hostname: `${name}-host`, bootMs: 120_000 };
}

describe.each(["own", "distribution"])("clones of a template with the %s kernel", (kernel) => {
  let template: Template;
  beforeAll(async () => {
    template = await during((op) => ensureTemplate(op, bench.engine, request(kernel)));
  });

  test("are machines of their own: random numbers, names, ids, clock, files", async () => {
    await during(async (op) => {
      await using a = await cloneTemplate(op, bench.engine, template, cloneNamed("a"));
      await using b = await cloneTemplate(op, bench.engine, template, cloneNamed("b"));
      const facts = async (workspace: Workspace) => ({
        uuid: await sh(op, workspace, "cat /proc/sys/kernel/random/uuid"),
        bytes: await sh(op, workspace, "head -c 32 /dev/urandom | hexdump"),
        bootId: await sh(op, workspace, "cat /proc/sys/kernel/random/boot_id"),
        machineId: await sh(op, workspace, "cat /etc/machine-id"),
      });
      const [ofA, ofB] = [await facts(a), await facts(b)];
      for (const key of ["uuid", "bytes", "bootId", "machineId"] as const) {
        expect(ofA[key], key).not.toBe(ofB[key]);
      }
      expect(ofA.bootId).not.toBe(await sh(op, a, "cat /boot-id"));
      expect(ofA.machineId).toMatch(/^[0-9a-f]{32}$/);
      expect(await sh(op, a, "hostname; cat /etc/hostname; grep -c a-host /etc/hosts")).toBe(
        "a-host\na-host\n1",
      );
      const seconds = Number(await sh(op, b, "date +%s"));
      expect(Math.abs(seconds - Date.now() / 1000)).toBeLessThan(60);
      expect(await sh(op, a, "cat /note; echo mine > /note")).toBe("from-setup");
      expect(await sh(op, b, "cat /note")).toBe("from-setup");
    });
  });

  test("never print alike, not even from a process that ran when they were saved", async () => {
    await during(async (op) => {
      const lines = async (name: string) => {
        await using workspace = await cloneTemplate(op, bench.engine, template, cloneNamed(name));
        const saved = Number(await sh(op, workspace, "wc -l < /chatter"));
        await sh(
          op,
          workspace,
          `while [ $(wc -l < /chatter) -lt ${saved + 5} ]; do sleep 0.05; done`,
        );
        return (await sh(op, workspace, "cat /chatter")).split("\n");
      };
      const a = await lines("talk-a");
      const b = await lines("talk-b");
      let common = 0;
      while (a[common] !== undefined && a[common] === b[common]) common++;
      // What was said before the saving is the same; of the line after it a part may have been drawn already.
      expect(common).toBeGreaterThan(0);
      expect(a.length - common).toBeGreaterThan(4);
      const words = (all: string[]) => all.slice(common + 1).flatMap((line) => line.split(" "));
      const ofB = new Set(words(b));
      expect(words(a).filter((word) => ofB.has(word))).toEqual([]);
    });
  });
});

describe("a template that is damaged", () => {
  const small = () => request("own", { setup: ["echo from-setup > /note"] });

  async function flipBit(path: string, position: number): Promise<void> {
    const file = await open(path, "r+");
    const byte = Buffer.alloc(1);
    await file.read(byte, 0, 1, position);
    byte[0] = (byte[0] ?? 0) ^ 1;
    await file.write(byte, 0, 1, position);
    await file.close();
  }

  test.each<[string, (path: string) => Promise<void>]>([
    ["a truncated memory", (path) => truncate(join(path, "memory"), 1 << 20)],
    ["a flipped bit of memory", (path) => flipBit(join(path, "memory"), 40 << 20)],
    ["a flipped bit of state", (path) => flipBit(join(path, "state"), 5000)],
    ["a truncated disk", (path) => truncate(join(path, "scratch.0.raw"), 1 << 20)],
  ])("with %s is built anew", async (_what, damage) => {
    await during(async (op) => {
      const { path } = await ensureTemplate(op, bench.engine, small());
      await damage(path);
      const again = await ensureTemplate(op, bench.engine, small());
      expect(again.built).toBe(true);
      await using workspace = await cloneTemplate(op, bench.engine, again, cloneNamed("anew"));
      expect(await sh(op, workspace, "cat /note")).toBe("from-setup");
    });
  });

  test("when a clone is started says so and is built anew", async () => {
    await during(async (op) => {
      const template = await ensureTemplate(op, bench.engine, small());
      // Written in place and with its old time, as a disk fault would be.
      const state = join(template.path, "state");
      const bytes = await readFile(state);
      await rm(state);
      await writeFile(state, bytes.subarray(0, 2000));
      await using workspace = await cloneTemplate(op, bench.engine, template, cloneNamed("late"));
      expect(workspace.report.template).toMatchObject({ how: "rebuilt" });
      expect(await sh(op, workspace, "cat /note")).toBe("from-setup");
    });
  });
});
