// The second dispatch of a file with setup against the first.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { resultsDir } from "../build-subject.mjs";
import { plainFigure } from "../figure.mjs";
import { cli } from "../product.mjs";
import { runProgram } from "../tools.mjs";

/** Setup that reads and writes for a moment, as installing a few packages would. */
const setup = "tar -cf /srv/usr.tar /usr/share && md5sum /srv/usr.tar > /srv/sum";

export async function secondDispatch(bench, runs) {
  const dir = await mkdtemp(join(resultsDir, "dispatch-"));
  const file = join(dir, "agent.yaml");
  const keys = [];
  const first = [];
  const second = [];
  const kernel = await bench.kernelName();
  const dispatch = async (how, samples) => {
    const started = performance.now();
    const args = [cli, "--json", "dispatch", "--kernel", kernel, "--file", file];
    const { template } = JSON.parse(await runProgram(process.execPath, args));
    samples.push(performance.now() - started);
    if (template.how !== how) throw new Error(`The dispatch was "${template.how}", wanted ${how}`);
    keys.push(template.key);
  };
  try {
    for (let round = 0; round < runs; round++) {
      // Another environment is another template: the first dispatch of it is a first one.
      await writeFile(file, agentfile(bench.image, `${process.pid}-${round}`));
      await dispatch("built", first);
      await dispatch("hit", second);
    }
  } finally {
    for (const key of new Set(keys))
      await runProgram(process.execPath, [cli, "template", "rm", key]);
    await rm(dir, { recursive: true, force: true });
  }
  return [
    plainFigure({
      ...{ name: "second dispatch of a file with setup", unit: "ms", ours: second },
      ...{ floor: first, floorName: "the first" },
    }),
  ];
}

function agentfile(image, round) {
  return [
    "name: bench-setup",
    `image: "${image}"`,
    "resources: { memoryMiB: 256, cpuCount: 1 }",
    `env: { ROUND: "${round}" }`,
    `setup: ["${setup}"]`,
    'agent: { entry: "true" }',
    "",
  ].join("\n");
}
