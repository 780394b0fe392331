import { ratioFigure } from "../figure.mjs";
import { interleave } from "../measure.mjs";
import { withOp } from "../product.mjs";

const size = { cpus: 1, memoryMib: 512 };
const perRun = 20;

/** A round trip of /bin/true in a machine that is up. */
export const exec = {
  name: "exec",
  async run(bench, runs, onRound) {
    const workspace = await bench.bootWorkspace(size);
    const floor = await bench.startFloor(size);
    try {
      return await withOp("bench", async (op) => {
        const samples = await interleave(
          runs * perRun,
          {
            ours: () => clocked(() => execTrue(op, workspace)),
            floor: () => clocked(() => floor.exec()),
          },
          (round, total) => {
            if (round % perRun === 0) onRound(round / perRun, total / perRun);
          },
        );
        return [
          ratioFigure({
            ...{ name: "/bin/true, p50", unit: "ms", ours: samples.ours, target: 2 },
            ...{ floor: samples.floor, floorName: "fork+exec in the C init" },
          }),
        ];
      });
    } finally {
      await floor.end();
      await workspace.close();
    }
  },
};

/** Runs /bin/true to its result; throws unless it exits with 0. */
export async function execTrue(op, workspace) {
  const execution = await workspace.exec(op, {
    argv: ["/bin/true"],
    env: ["PATH=/bin"],
    cwd: "/",
    user: "0:0",
    stdin: false,
    tty: null,
    timeoutMs: null,
  });
  for await (const _ of execution.output);
  const { exitCode } = await execution.result;
  if (exitCode !== 0) throw new Error(`/bin/true ended with ${exitCode}`);
}

async function clocked(work) {
  const started = performance.now();
  await work();
  return performance.now() - started;
}
