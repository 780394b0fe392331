// The floor machine after its first exec, in files, and what starts it again.
import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { resultsDir } from "../build-subject.mjs";
import { makeOverlay, withOp } from "../product.mjs";

const scratchBytes = 2048 * 1024 * 1024;
let made = 0;

export async function savedFloor(bench, choice, size) {
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
