import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { resultsDir } from "../build-subject.mjs";
import { boundFigure, plainFigure, ratioFigure } from "../figure.mjs";
import { pssMib, restoreFloor } from "../floor/restore.mjs";
import { interleave } from "../measure.mjs";
import {
  cloneTemplate,
  ensureTemplate,
  makeOverlay,
  openTemplatePool,
  withOp,
} from "../product.mjs";
import { execTrue } from "./exec.mjs";

const size = { cpus: 1, memoryMib: 256 };
const scratchBytes = 2048 * 1024 * 1024;
let made = 0;

/** A machine of one's own, already set up: from the ask to the end of its first command. */
export const clone = {
  name: "clone",
  async run(bench, runs, onRound) {
    const { choice } = await bench.ready();
    const template = await withOp("bench", async (op) =>
      ensureTemplate(op, bench.engine, await bench.templateRequest(size)),
    );
    const floor = await savedFloor(bench, choice);
    const pss = { ours: [], floor: [], paused: [] };
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
          await machine.exec();
          const ms = performance.now() - machine.startedAt;
          pss.floor.push(pssMib(machine.pid));
          await machine.end();
          return ms;
        },
      },
      onRound,
    );
    const pooled = await fromPool(bench, template, runs);
    await floor.remove();
    const floorName = "raw QEMU restore, C init";
    return [
      ratioFigure({
        ...{ name: "ask to first exec, no pool", unit: "ms", ours: samples.ours, target: 1.3 },
        ...{ floor: samples.floor, floorName },
      }),
      boundFigure({ name: "ask to first exec, warm pool", unit: "ms", ours: pooled, target: 15 }),
      ratioFigure({
        ...{ name: "memory after an exec (PSS)", unit: "MiB", ours: pss.ours, target: 1.2 },
        ...{ floor: pss.floor, floorName },
      }),
      plainFigure({ name: "start, exec and close", unit: "ms", ours: cycle }),
    ];
  },
};

async function fromPool(bench, template, runs) {
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
  });
  return samples;
}

function cloneRequest() {
  const name = `bench-clone-${process.pid}-${++made}`;
  return { name, hostname: "bench", bootMs: 60_000 };
}

/** The floor machine after its first exec, in files, and what starts it again. */
async function savedFloor(bench, choice) {
  const dir = await mkdtemp(join(resultsDir, "saved-floor-"));
  const saved = await withOp("bench", async (op) => {
    const machine = await bench.startFloorBySupervisor(op, size, dir);
    try {
      await askTrue(machine.link);
      return await choice.snapshots.save(op, machine, dir);
    } finally {
      await machine.kill("saved");
    }
  });
  return {
    remove: () => rm(dir, { recursive: true, force: true }),
    async command() {
      const scratch = join(dir, `top-${++made}.qcow2`);
      await makeOverlay(scratch, scratchBytes);
      const layers = saved.disks.scratch.map((layer) => ({
        ...layer,
        path: join(dir, layer.path),
      }));
      const from = { memory: join(dir, saved.memory), state: join(dir, saved.state) };
      const plan = await bench.floorPlan(size, { scratch, layers, dir, from });
      return { file: plan.file, args: plan.args, statePath: from.state };
    },
  };
}

function askTrue(link) {
  return new Promise((resolve) => {
    link.once("data", resolve);
    link.write("x");
  });
}
