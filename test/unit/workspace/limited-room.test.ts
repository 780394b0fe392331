import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Op, withOp } from "../../../src/base/op.ts";
import { type StateLayout, stateLayout } from "../../../src/host/state-layout.ts";
import { roomWithinLimit } from "../../../src/workspace/limited-room.ts";

let dir: string;
let layout: StateLayout;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "microagent-limited-"));
  layout = stateLayout({ stateDir: dir });
});
afterEach(async () => {
  await rm(dir, { recursive: true, force: true });
});

const container = { memoryMib: 2048, memoryLimitedBy: "this container" };
const during = <T>(work: (op: Op) => Promise<T>, timeoutMs = 20_000) =>
  withOp("room", { timeoutMs }, work);

test("of three machines whose memory is more than the limit, the others wait", async () => {
  await during(async (op) => {
    let live = 0;
    let most = 0;
    const one = async () => {
      const room = await roomWithinLimit(op, layout, { memoryMib: 1024, cpus: 1 }, container);
      most = Math.max(most, ++live);
      await op.sleep(30);
      live--;
      await room?.release();
    };
    await Promise.all([one(), one(), one()]);
    expect(most).toBe(1);
  });
});

test("small machines run side by side, whatever processors they have", async () => {
  await during(async (op) => {
    const size = { memoryMib: 256, cpus: 8 };
    const rooms = [];
    for (let count = 0; count < 5; count++) {
      rooms.push(await roomWithinLimit(op, layout, size, container));
    }
    for (const room of rooms) await room?.release();
  });
});

test("a machine as large as the limit runs alone", async () => {
  const whole = { memoryMib: 2048, cpus: 1 };
  await during(async (op) => {
    const room = await roomWithinLimit(op, layout, whole, container);
    const second = during((inner) => roomWithinLimit(inner, layout, whole, container), 500);
    await expect(second).rejects.toMatchObject({
      code: "timeout",
      message: expect.stringContaining("1 machines hold 2048 of 2048 MiB"),
    });
    await room?.release();
  });
});

test("without a limit nobody waits, and nothing is written", async () => {
  await during(async (op) => {
    const host = { memoryMib: 2048, memoryLimitedBy: null };
    expect(await roomWithinLimit(op, layout, { memoryMib: 2048, cpus: 1 }, host)).toBeNull();
  });
});

test("a ticket of another container that shares the directory is left alone and holds nothing here", async () => {
  await during(async (op) => {
    const tickets = join(dir, "admission");
    await mkdir(tickets, { mode: 0o700 });
    const foreign = "0-00000001.1-77_ns1.other.2048.1.granted";
    await writeFile(join(tickets, foreign), "");
    const room = await roomWithinLimit(op, layout, { memoryMib: 1024, cpus: 1 }, container);
    await room?.release();
    expect(await readdir(tickets)).toEqual([foreign]);
  });
});
