import { randomFillSync } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { resultsDir } from "../build-subject.mjs";
import { ratioFigure } from "../figure.mjs";
import { interleave } from "../measure.mjs";
import { readHostTree, withOp, writeHostTree } from "../product.mjs";

const size = { cpus: 1, memoryMib: 1024 };
const fileMib = 64;
/** A directory with one file: a tree that is a single file has no name to be written under. */
const guestDir = "/var/tmp/bench";
const guestPath = `${guestDir}/source.bin`;
const caps = { maxEntries: 10, maxBytes: 2 * fileMib * 1024 * 1024 };

/** A file of the host into a file of the guest and back, against bytes that are made up and dropped. */
export const transfer = {
  name: "transfer",
  async run(bench, runs, onRound) {
    const workspace = await bench.bootWorkspace(size);
    const floor = await bench.startFloor(size);
    const folder = await mkdtemp(join(resultsDir, "transfer-"));
    const source = join(folder, "source.bin");
    const bytes = randomFillSync(Buffer.alloc(fileMib * 1024 * 1024));
    await writeFile(source, bytes);
    try {
      return await withOp("bench", async (op) => {
        const samples = await interleave(
          runs,
          {
            floorIn: () => rate(() => floor.push(bytes)),
            oursIn: () => rate(() => workspace.put(op, guestPath, readHostTree(op, source))),
            floorOut: () => rate(() => floor.pull(bytes.length)),
            oursOut: () => rate(() => fetch(op, workspace, join(folder, "out"))),
          },
          onRound,
        );
        return ["In", "Out"].map((way) =>
          ratioFigure({
            ...{ name: `${fileMib} MiB file ${way.toLowerCase()}`, unit: "MiB/s" },
            ...{ ours: samples[`ours${way}`], floor: samples[`floor${way}`] },
            ...{ floorName: "raw virtio-serial", target: 0.7, direction: "at-least" },
          }),
        );
      });
    } finally {
      await floor.end();
      await workspace.close();
      await rm(folder, { recursive: true, force: true });
    }
  },
};

async function fetch(op, workspace, target) {
  const { failure, files } = await writeHostTree(
    op,
    await workspace.get(op, guestDir, caps),
    target,
  );
  if (failure !== null) throw failure;
  if (files[0]?.sizeBytes !== fileMib * 1024 * 1024) throw new Error("The file did not come back");
}

async function rate(work) {
  const started = performance.now();
  await work();
  return fileMib / ((performance.now() - started) / 1000);
}
