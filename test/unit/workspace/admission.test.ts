import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Op, withOp } from "../../../src/base/op.ts";
import { type StateLayout, stateLayout } from "../../../src/host/state-layout.ts";
import { admit, admitSpare, isRoomWanted, mayRun } from "../../../src/workspace/admission.ts";
import type { Ticket } from "../../../src/workspace/admission-tickets.ts";

let dir: string;
let layout: StateLayout;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "microagent-admission-"));
  layout = stateLayout({ stateDir: dir });
});
afterEach(async () => {
  await rm(dir, { recursive: true, force: true });
});

const budget = { memoryMib: 512, cpus: 4, machines: 3 };
const small = (group: string) => ({ memoryMib: 256, cpus: 1, group });
const during = <T>(work: (op: Op) => Promise<T>, timeoutMs = 20_000) =>
  withOp("admission", { timeoutMs }, work);

test("machines run side by side as far as the budget goes, the others in their order", async () => {
  await during(async (op) => {
    let live = 0;
    let most = 0;
    const order: number[] = [];
    const one = async (index: number) => {
      const admission = await admit(op, layout, budget, small(`g${index}`));
      order.push(index);
      most = Math.max(most, ++live);
      await op.sleep(15);
      // On a busy host the second machine is admitted later than that.
      while (most < 2) await op.sleep(5);
      live--;
      await admission.release();
    };
    await Promise.all(Array.from({ length: 8 }, (_, index) => one(index)));
    expect(most).toBe(2);
    expect(order.toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(await readdir(join(dir, "admission"))).toEqual([]);
  });
});

test("what the whole budget could not hold fails at once, with the numbers", async () => {
  await during(async (op) => {
    const asked = admit(op, layout, budget, { memoryMib: 1024, cpus: 1, group: "g" });
    await expect(asked).rejects.toMatchObject({ code: "over_budget" });
    await expect(asked).rejects.toThrow(/1024 MiB .* 512 MiB/);
  });
});

test("spare room is given only while nobody waits, and counts for its group from then on", async () => {
  await during(async (op) => {
    const spare = await admitSpare(op, layout, budget, small("spare"));
    expect(await isRoomWanted(layout)).toBe(false);
    const held = await admit(op, layout, budget, small("a"));
    expect(await admitSpare(op, layout, budget, small("spare")), "no room").toBeNull();
    const waiting = admit(op, layout, budget, small("b"));
    await expect.poll(() => isRoomWanted(layout)).toBe(true);
    await held.release();
    await (await waiting).release();
    await spare?.giveTo("a");
    const beside = await admit(op, layout, budget, small("a"));
    await expect(admit(op, layout, budget, small("a"))).rejects.toMatchObject({
      code: "over_budget",
    });
    await Promise.all([beside.release(), spare?.release()]);
    expect(await readdir(join(dir, "admission"))).toEqual([]);
  });
});

test("machines that are needed together and are too large together fail at once", async () => {
  await during(async (op) => {
    const first = await admit(op, layout, budget, small("a"));
    const second = await admit(op, layout, budget, small("a"));
    const third = admit(op, layout, budget, small("a"));
    await expect(third).rejects.toMatchObject({ code: "over_budget" });
    await expect(third).rejects.toThrow(/beside 2 machines with 512 MiB/);
    await Promise.all([first.release(), second.release()]);
    expect(await readdir(join(dir, "admission"))).toEqual([]);
  });
});

test("a wait that outlasts its bound says who holds what, and leaves no ticket", async () => {
  await during(async (op) => {
    const first = await admit(op, layout, budget, { memoryMib: 512, cpus: 1, group: "a" });
    const second = during((short) => admit(short, layout, budget, small("b")), 200);
    await expect(second).rejects.toMatchObject({ code: "timeout" });
    await expect(second).rejects.toThrow(/1 machines hold 512 of 512 MiB/);
    await expect.poll(() => readdir(join(dir, "admission"))).toHaveLength(1);
    await first.release();
    expect(await readdir(join(dir, "admission"))).toEqual([]);
  });
});

test("tickets of dead processes hold nothing", async () => {
  await during(async (op) => {
    const first = await admit(op, layout, budget, small("a"));
    await first.release();
    const stale = join(dir, "admission", "0000000000001-abcd.1-1.dead.512.4.granted");
    await writeFile(stale, "");
    const admission = await admit(op, layout, budget, small("a"));
    await admission.release();
    expect(await readdir(join(dir, "admission"))).toEqual([]);
  });
});

const ticket = (name: string, group: string, granted: boolean, memoryMib = 256): Ticket => ({
  name,
  group,
  memoryMib,
  cpus: 1,
  granted,
});

test("a group that holds a machine comes before one that holds none", () => {
  const tickets = [ticket("1", "a", true), ticket("2", "b", false), ticket("3", "a", false)];
  expect(mayRun(tickets, "2", budget)).toBe(false);
  expect(mayRun(tickets, "3", budget)).toBe(true);
});

test("a later small request does not overtake a large one", () => {
  const tickets = [
    ticket("1", "a", true),
    ticket("2", "b", false, 512),
    ticket("3", "c", false, 128),
  ];
  expect(mayRun(tickets, "3", budget)).toBe(false);
});

test("when all who hold machines wait for more, the oldest of them goes on beyond the budget", () => {
  const tickets = [
    ticket("1", "a", true),
    ticket("2", "b", true),
    ticket("3", "a", false),
    ticket("4", "b", false),
  ];
  expect(mayRun(tickets, "3", budget)).toBe(true);
  expect(mayRun(tickets, "4", budget)).toBe(false);
  expect(mayRun(tickets.slice(0, 3), "3", budget)).toBe(false);
});
