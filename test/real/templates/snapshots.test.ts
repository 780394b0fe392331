import { afterAll, beforeAll, expect, test } from "vitest";
import { type Op, withOp } from "../../../src/base/op.ts";
import { type BootRequest, boot } from "../../../src/workspace/boot.ts";
import {
  deleteSnapshot,
  forkWorkspace,
  listSnapshots,
  snapshotWorkspace,
  startSnapshot,
} from "../../../src/workspace/templates/snapshots.ts";
import { openWorkbench, type Workbench } from "../../fixtures/workbench.ts";
import { someBoot } from "../../support/boot-request.ts";
import { rootScript, sh } from "../../support/root-shell.ts";

let bench: Workbench;
beforeAll(async () => {
  bench = await openWorkbench();
});
afterAll(async () => {
  await bench[Symbol.asyncDispose]();
});

function during<T>(work: (op: Op) => Promise<T>): Promise<T> {
  return withOp("snapshots", { timeoutMs: 400_000 }, work);
}

function request(name: string): BootRequest {
  return someBoot(bench.image, { name, hostname: name, saveable: true });
}

function startOf(name: string) {
  return { name, hostname: name, bootMs: 120_000 };
}

test("a live workspace is saved under a name, goes on, and starts again as another machine", async () => {
  await during(async (op) => {
    await using live = await boot(op, bench.engine, request("live"));
    await sh(op, live, "echo saved > /note");
    const snapshot = await snapshotWorkspace(op, bench.engine, live, "before-change");
    await expect(snapshotWorkspace(op, bench.engine, live, "before-change")).rejects.toMatchObject({
      code: "name_taken",
    });
    await sh(op, live, "echo changed > /note");
    expect((await listSnapshots(bench.engine)).map((each) => each.name)).toEqual([snapshot.tag]);
    await using again = await startSnapshot(op, bench.engine, snapshot.tag, startOf("again"));
    expect(await sh(op, again, "cat /note; hostname")).toBe("saved\nagain");
    expect(await sh(op, live, "cat /note; hostname")).toBe("changed\nlive");
    await deleteSnapshot(bench.engine, snapshot.tag);
    expect(await sh(op, again, "cat /note")).toBe("saved");
    await expect(
      startSnapshot(op, bench.engine, snapshot.tag, startOf("late")),
    ).rejects.toMatchObject({ code: "snapshot_not_found" });
  });
});

test("forks go on with the command that ran, and so does the original, with its stream", async () => {
  await during(async (op) => {
    await using live = await boot(op, bench.engine, request("forked"));
    const counting = await live.exec(
      op,
      rootScript(
        "n=0; while [ ! -e /stop ]; do n=$((n+1)); echo $n > /count; sleep 0.05; done; echo end",
      ),
    );
    while ((await sh(op, live, "cat /count 2>/dev/null || echo 0")) === "0") await op.sleep(50);
    const forks = await forkWorkspace(op, bench.engine, live, [
      startOf("fork-a"),
      startOf("fork-b"),
    ]);
    const counts =
      'a=$(cat /count); while [ "$(cat /count)" = "$a" ]; do sleep 0.05; done; hostname';
    const names: string[] = [];
    for (const fork of forks) names.push(await sh(op, fork, counts));
    expect(names).toEqual(["fork-a", "fork-b"]);
    const [first] = forks;
    if (first === undefined) throw new Error("no fork");
    // A fork can be forked: what was saved of it holds all of its memory.
    const [grandchild] = await forkWorkspace(op, bench.engine, first, [startOf("fork-a-a")]);
    expect(grandchild === undefined ? "" : await sh(op, grandchild, counts)).toBe("fork-a-a");
    await grandchild?.close();
    for (const fork of forks) await fork.close();
    await sh(op, live, "touch /stop");
    let said = "";
    for await (const { data } of counting.output) said += Buffer.from(data).toString();
    expect(said).toBe("end\n");
    expect((await counting.result).exitCode).toBe(0);
  });
});
