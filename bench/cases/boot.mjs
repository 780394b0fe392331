import { plainFigure, ratioFigure } from "../figure.mjs";
import { interleave } from "../measure.mjs";
import { withOp } from "../product.mjs";
import { execTrue } from "./exec.mjs";

/** The profile a run has without asking, and a single CPU, which needs no second one to come up. */
const sizes = { "2 CPUs": { cpus: 2, memoryMib: 512 }, "1 CPU": { cpus: 1, memoryMib: 512 } };

/** Cold boot to the first answered exec. */
export const boot = {
  name: "boot",
  async run(bench, runs, onRound) {
    await bench.ready();
    const figures = [];
    for (const [label, size] of Object.entries(sizes)) {
      const whole = [];
      const samples = await interleave(
        runs,
        {
          ours: async () => {
            const { fromStart, total } = await bootOurs(bench, size);
            whole.push(total);
            return fromStart;
          },
          floor: () => bootRaw(() => bench.startFloor(size)),
          stock: () => bootRaw(() => bench.startStock(size)),
        },
        onRound,
      );
      const name = `boot to first exec, ${label}`;
      figures.push(
        ratioFigure({
          ...{ name, unit: "ms", ours: samples.ours, target: 1.25 },
          ...{ floor: samples.floor, floorName: "raw QEMU, C init" },
        }),
        ratioFigure({
          ...{ name, unit: "ms", ours: samples.ours, target: 0.4 },
          ...{ floor: samples.stock, floorName: "distribution bzImage, QEMU defaults" },
        }),
        plainFigure({
          ...{ name: `with image, kernel and disk looked up, ${label}`, unit: "ms" },
          ...{ ours: whole.slice(1), floor: samples.floor, floorName: "raw QEMU, C init" },
        }),
      );
    }
    return figures;
  },
};

/** From the start of the machine, and from the call of `boot`, to the end of the first command. */
async function bootOurs(bench, size) {
  const called = performance.now();
  let started = called;
  const workspace = await bench.bootWorkspace(size, (event) => {
    if (event.kind === "step-start" && event.path.endsWith("/start")) started = performance.now();
  });
  await withOp("bench", (op) => execTrue(op, workspace));
  const now = performance.now();
  await workspace.close();
  return { fromStart: now - started, total: now - called };
}

async function bootRaw(start) {
  // The disk is made before the clock starts, as it is before our own start step.
  const machine = await start();
  await machine.exec();
  const ms = performance.now() - machine.startedAt;
  await machine.end();
  return ms;
}
