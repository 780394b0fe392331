import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Op, withOp } from "../../../src/base/op.ts";
import { dialTcp } from "../../../src/host/dial-tcp.ts";
import type { Flags } from "../../../src/spec/flags.ts";
import { attachWorkspace } from "../../../src/workspace/held/attach.ts";
import {
  deleteWorkspace,
  haltWorkspace,
  killWorkspace,
  waitWorkspace,
} from "../../../src/workspace/held/end.ts";
import { startFromSnapshot, startWorkspace } from "../../../src/workspace/held/start.ts";
import { currentState } from "../../../src/workspace/held/state.ts";
import { listWorkspaces } from "../../../src/workspace/listing.ts";
import { networkOf } from "../../../src/workspace/network-record.ts";
import { machinesOf, openWorkbench, type Workbench } from "../../fixtures/workbench.ts";
import { createHeld } from "../../support/held-workspace.ts";

let bench: Workbench;

beforeAll(async () => {
  bench = await openWorkbench();
});
afterAll(async () => {
  for (const { name } of await listWorkspaces(bench.layout)) {
    await during((op) => deleteWorkspace(op, bench.layout, name, { force: true }));
  }
  await bench[Symbol.asyncDispose]();
});

function during<T>(work: (op: Op) => Promise<T>): Promise<T> {
  return withOp("live", { timeoutMs: 240_000 }, work);
}

function create(op: Op, name: string, flags: Flags = {}): Promise<void> {
  return createHeld(op, bench.engine, name, { image: bench.image, ...flags });
}

async function holderOf(name: string): Promise<number> {
  const { holder } = await currentState(bench.layout, name);
  if (holder === null) throw new Error(`Nobody holds ${name}`);
  return holder.pid;
}

async function fetchLine(op: Op, port: number): Promise<string> {
  const socket = await dialTcp(op, { host: "127.0.0.1", port });
  let text = "";
  for await (const bytes of socket) text += String(bytes);
  return text;
}

describe("the process that holds a workspace", () => {
  test("is deaf to the terminal, and powers the guest off when it is asked to end", async () => {
    await during(async (op) => {
      await create(op, "asked");
      await using workspace = await startWorkspace(op, bench.engine, "asked");
      const pid = await holderOf("asked");
      for (const signal of ["SIGINT", "SIGHUP"] as const) process.kill(pid, signal);
      await workspace.run(op, { argv: ["sh", "-c", "echo unsynced > /late"] });
      process.kill(pid, "SIGTERM");
      expect(await waitWorkspace(op, bench.layout, "asked")).toMatchObject({ state: "halted" });
      expect(await machinesOf(bench.stateDir)).toEqual([]);
      await using again = await startWorkspace(op, bench.engine, "asked");
      const late = await again.run(op, { argv: ["cat", "/late"] });
      expect(late.stdout.toString()).toBe("unsynced\n");
      await deleteWorkspace(op, bench.layout, "asked", { force: true });
    });
  });

  test("is ended itself when it does not listen any more", async () => {
    await during(async (op) => {
      await create(op, "stuck");
      (await startWorkspace(op, bench.engine, "stuck")).close();
      process.kill(await holderOf("stuck"), "SIGSTOP");
      const ended = await killWorkspace(op, bench.layout, "stuck", "does not answer");
      expect(ended).toMatchObject({ state: "stopped", reason: "does not answer", holder: null });
      await expect.poll(() => machinesOf(bench.stateDir)).toEqual([]);
      expect(await deleteWorkspace(op, bench.layout, "stuck")).toBe(true);
    });
  });

  test("publishes ports, also those of a machine that it starts from a snapshot", async () => {
    await during(async (op) => {
      await create(op, "served", { network: "user", publish: ["127.0.0.1:0:8080"] });
      await using served = await startWorkspace(op, bench.engine, "served");
      const service = "echo $(hostname) > /name; while :; do nc -l -p 8080 < /name; done";
      await served.run(op, { argv: ["sh", "-c", `(${service}) >/dev/null 2>&1 </dev/null &`] });
      const portOf = async (name: string) =>
        (await networkOf(bench.layout, name)).forwards[0]?.hostPort ?? 0;
      await expect
        .poll(async () => fetchLine(op, await portOf("served")).catch(() => ""))
        .toBe("served\n");
      await served.snapshot(op, "serving");
      const from = { workspace: "served", tag: "serving" };
      (await startFromSnapshot(op, bench.engine, from, "copy")).close();
      expect(await portOf("copy")).not.toBe(await portOf("served"));
      // The service that was saved serves from both machines.
      await expect
        .poll(async () => fetchLine(op, await portOf("copy")).catch(() => ""))
        .toBe("served\n");
      await using attached = await attachWorkspace(op, bench.layout, "copy");
      const directly = async () => {
        // The service is away for a moment after each connection.
        const stream = await attached.connectPort(op, 8080).catch(() => null);
        const said = Buffer.from((await stream?.read(op)) ?? []).toString();
        stream?.reset();
        return said;
      };
      await expect.poll(directly).toBe("served\n");
      await haltWorkspace(op, bench.layout, "copy");
      await deleteWorkspace(op, bench.layout, "copy");
      await deleteWorkspace(op, bench.layout, "served", { halt: true });
    });
  });
});
