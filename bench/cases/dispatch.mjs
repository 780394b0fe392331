import { boundFigure, plainFigure } from "../figure.mjs";
import { interleave } from "../measure.mjs";
import { cli } from "../product.mjs";
import { runProgram } from "../tools.mjs";

/** The guest's share of a run: everything else is ours. */
const guestSteps = ["boot/start", "boot/handshake", "boot/configure", "run"];

/** A run of `true` whose image and kernel are there: what we add to the guest's own time. */
export const dispatch = {
  name: "dispatch",
  async run(bench, runs, onRound) {
    const kernel = await bench.kernelName();
    const walls = [];
    const { ours, node } = await interleave(
      runs,
      {
        ours: async () => {
          const { wall, own } = await dispatchTrue(bench.image, kernel);
          walls.push(wall);
          return own;
        },
        node: async () => {
          const started = performance.now();
          await runProgram(process.execPath, ["-e", "0"]);
          return performance.now() - started;
        },
      },
      onRound,
    );
    return [
      boundFigure({ name: "own time of a warm dispatch", unit: "ms", ours, target: 150 }),
      plainFigure({ name: "whole warm dispatch of true", unit: "ms", ours: walls.slice(1) }),
      plainFigure({ name: "of which Node's own start (node -e 0)", unit: "ms", ours: node }),
    ];
  },
};

async function dispatchTrue(image, kernel) {
  const args = [cli, "--json", "run", "--pull", "never", "--kernel", kernel, image, "true"];
  const started = performance.now();
  const stdout = await runProgram(process.execPath, args);
  const wall = performance.now() - started;
  const { exit_code: exitCode, timings_ms: timings } = JSON.parse(stdout);
  if (exitCode !== 0) throw new Error(`The dispatch ended with ${exitCode}: ${stdout}`);
  const guest = guestSteps.reduce((sum, step) => sum + timings[step], 0);
  return { wall, own: wall - guest };
}
