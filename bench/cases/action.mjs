import { spawn } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildAction } from "../../scripts/build-action.mjs";
import { resultsDir } from "../build-subject.mjs";
import { boundFigure, plainFigure, ratioFigure } from "../figure.mjs";
import { interleave } from "../measure.mjs";
import { cli, stateLayout } from "../product.mjs";

/** A step whose image and kernel are there, against `dispatch` of the same Agentfile; and what loading it takes. */
export const action = {
  name: "action",
  async run(bench, runs, onRound) {
    await bench.ready();
    const built = join(resultsDir, "action");
    const { codeBytes, guestBytes } = await buildAction(built);
    const dir = await mkdtemp(join(tmpdir(), "microagent-bench-action-"));
    try {
      const job = await openJob(dir, built, bench.image);
      const { step, dispatch, load, node } = await interleave(
        runs,
        {
          step: () => job.step(),
          dispatch: () => job.dispatch(),
          load: () => job.load(),
          node: () => clocked([process.execPath, "-e", "0"], job.env, 0),
        },
        onRound,
      );
      const loading = load.map((ms, at) => ms - node[at]);
      return [
        ratioFigure({
          ...{ name: "whole step, warm", unit: "ms", ours: step, target: 1.15 },
          ...{ floor: dispatch, floorName: "microagent dispatch" },
        }),
        boundFigure({ name: "loading the action", unit: "ms", ours: loading, target: 150 }),
        plainFigure({ name: "code of the action", unit: "MiB", ours: [mebibytes(codeBytes)] }),
        plainFigure({ name: "its guest programs", unit: "MiB", ours: [mebibytes(guestBytes)] }),
      ];
    } finally {
      await rm(dir, { recursive: true, force: true });
    }
  },
};

/** A job with this host's images and kernels. What a runner's services would add is not the step's time. */
async function openJob(dir, built, image) {
  const [temp, workspace] = [join(dir, "temp"), join(dir, "work")];
  for (const path of [temp, workspace]) await mkdir(path, { recursive: true });
  const files = Object.fromEntries(
    ["OUTPUT", "STATE", "ENV", "PATH", "STEP_SUMMARY"].map((name) => [
      `GITHUB_${name}`,
      join(dir, name),
    ]),
  );
  for (const path of Object.values(files)) await writeFile(path, "");
  const file = join(workspace, "agent.yaml");
  await writeFile(
    file,
    `image: ${JSON.stringify(image)}\nagent: { entry: "true", egress: strict }\n`,
  );
  const env = {
    ...{ PATH: process.env.PATH, HOME: process.env.HOME, RUNNER_TEMP: temp, LANG: "C" },
    ...{ MICROAGENT_CACHE_DIR: stateLayout().root, GITHUB_WORKSPACE: workspace, ...files },
  };
  const inputs = { INPUT_FILE: file, INPUT_WORKSPACE: "none", INPUT_CACHE: "off" };
  const main = [process.execPath, join(built, "dist", "main.js")];
  const plain = { ...env, MICROAGENT_STATE_DIR: join(dir, "state") };
  const dispatchWords = ["--json", "dispatch", "--file", file, "--no-template"];
  const output = ["--output-dir", join(dir, "out")];
  return {
    env,
    step: () => clocked(main, { ...env, ...inputs, "INPUT_UPLOAD-ARTIFACTS": "false" }, 0),
    dispatch: () => clocked([process.execPath, cli, ...dispatchWords, ...output], plain, 0),
    // Without inputs it says what it misses, and has loaded everything by then.
    load: () => clocked(main, env, 1),
  };
}

async function clocked([file, ...args], env, wanted) {
  const started = performance.now();
  const child = spawn(file, args, { env, stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (data) => (said += data));
  const code = await new Promise((done) => child.on("close", done));
  if (code !== wanted) throw new Error(`"${args[0]}" ended with ${code}: ${said}`);
  return performance.now() - started;
}

function mebibytes(bytes) {
  return bytes / 1024 ** 2;
}
