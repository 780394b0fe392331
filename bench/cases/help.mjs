import { ratioFigure } from "../figure.mjs";
import { interleave } from "../measure.mjs";
import { cli } from "../product.mjs";
import { runProgram } from "../tools.mjs";

/** How long the command line takes to say what it can do. */
export const help = {
  name: "help",
  async run(_bench, runs, onRound) {
    const node = (...args) => clocked(() => runProgram(process.execPath, args));
    const samples = await interleave(
      2 * runs,
      { ours: () => node(cli, "--help"), floor: () => node("-e", "0") },
      (round, total) => onRound(Math.ceil(round / 2), total / 2),
    );
    return [
      ratioFigure({
        ...{ name: "microagent --help", unit: "ms", ours: samples.ours, target: 1.6 },
        ...{ floor: samples.floor, floorName: "node -e 0" },
      }),
    ];
  },
};

async function clocked(work) {
  const started = performance.now();
  await work();
  return performance.now() - started;
}
