import { boundFigure, plainFigure, ratioFigure } from "../figure.mjs";
import { pssMib, restoreFloor } from "../floor/restore.mjs";
import { savedFloor } from "../floor/saved.mjs";
import { interleave } from "../measure.mjs";
import {
  cloneTemplate,
  ensureTemplate,
  openTemplatePool,
  standTemplate,
  withOp,
} from "../product.mjs";
import { cloneRequest, crowd } from "./clone-crowd.mjs";
import { secondDispatch } from "./clone-dispatch.mjs";
import { execTrue } from "./exec.mjs";

const size = { cpus: 1, memoryMib: 256 };
const floorName = "raw QEMU restore, C init";

/** A machine of one's own, already set up: from the ask to the end of its first command. */
export const clone = {
  name: "clone",
  async run(bench, runs, onRound) {
    const { choice } = await bench.ready();
    const template = await withOp("bench", async (op) =>
      ensureTemplate(op, bench.engine, await bench.templateRequest(size)),
    );
    const floor = await savedFloor(bench, choice, size);
    const pss = { ours: [], floor: [], paused: [], pausedFloor: [] };
    const cycle = [];
    const samples = await interleave(
      runs,
      {
        ours: async () => {
          const asked = performance.now();
          return await withOp("bench", async (op) => {
            const workspace = await cloneTemplate(op, bench.engine, template, cloneRequest());
            await execTrue(op, workspace);
            const ms = performance.now() - asked;
            pss.ours.push(pssMib(workspace.pid));
            await workspace.close();
            cycle.push(performance.now() - asked);
            return ms;
          });
        },
        floor: async () => {
          const machine = await restoreFloor(await floor.command());
          pss.pausedFloor.push(pssMib(machine.pid));
          machine.run();
          await machine.exec();
          const ms = performance.now() - machine.startedAt;
          pss.floor.push(pssMib(machine.pid));
          await machine.end();
          return ms;
        },
      },
      onRound,
    );
    const pooled = await fromPool(bench, template, runs, pss.paused);
    const warm = await warmFloor(floor, runs);
    await floor.remove();
    return [
      ratioFigure({
        ...{ name: "ask to first exec, no pool", unit: "ms", ours: samples.ours, target: 1.3 },
        ...{ floor: samples.floor, floorName },
      }),
      boundFigure({ name: "ask to first exec, warm pool", unit: "ms", ours: pooled, target: 15 }),
      plainFigure({
        ...{ name: "ask to first exec, warm pool", unit: "ms", ours: pooled },
        ...{ floor: warm, floorName: "raw QEMU stopped, then cont and an exec that is warm" },
      }),
      ratioFigure({
        ...{ name: "memory paused (PSS)", unit: "MiB", ours: pss.paused, target: 1.2 },
        ...{ floor: pss.pausedFloor, floorName },
      }),
      ratioFigure({
        ...{ name: "memory after an exec (PSS)", unit: "MiB", ours: pss.ours, target: 1.2 },
        ...{ floor: pss.floor, floorName },
      }),
      plainFigure({ name: "start, exec and close", unit: "ms", ours: cycle }),
      ...(await crowd(bench, template)),
      ...(await secondDispatch(bench, Math.min(runs, 5))),
    ];
  },
};

/** Hand-overs of a pool, and what a machine takes that stands in one which is kept cold. */
async function fromPool(bench, template, runs, paused) {
  const samples = [];
  await withOp("bench", async (op) => {
    const pool = openTemplatePool(bench.engine, template, { size: 1, clone: cloneRequest });
    try {
      for (let round = 0; round < runs; round++) {
        await pool.filled(op);
        const asked = performance.now();
        const workspace = await pool.take(op);
        await execTrue(op, workspace);
        samples.push(performance.now() - asked);
        await workspace.close();
      }
    } finally {
      await pool[Symbol.asyncDispose]();
    }
    for (let round = 0; round < runs; round++) {
      const standing = await standTemplate(op, bench.engine, template, cloneRequest());
      paused.push(pssMib(standing.pid));
      await standing.close();
    }
  });
  return samples;
}

/** The floor's hand-over: a machine that has run commands stands still, goes on and runs another. */
async function warmFloor(floor, runs) {
  const samples = [];
  for (let round = 0; round < runs; round++) {
    const machine = await restoreFloor(await floor.command());
    machine.run();
    await machine.exec();
    await machine.exec();
    machine.stop();
    const asked = performance.now();
    machine.run();
    await machine.exec();
    samples.push(performance.now() - asked);
    await machine.end();
  }
  return samples;
}
