// `npm run bench [-- CASE... --runs N --json FILE --kernel NAME]`: every case against floors that are taken in the same
// run, in turn with our own samples. Prints ratios; docs/benchmarks.md says how to read them.
import { execFileSync } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { availableParallelism, cpus, loadavg, release, totalmem } from "node:os";
import { parseArgs } from "node:util";
import { buildDist } from "../scripts/build-dist.mjs";
import { installDependencies } from "../scripts/dependencies.mjs";
import { root, runMain, ScriptFailure, say, step } from "../scripts/steps.mjs";
import { buildSubject } from "./build-subject.mjs";
import { renderTable } from "./figure.mjs";
import { runsMin } from "./measure.mjs";

const order = [
  "help",
  "dispatch",
  "action",
  "boot",
  "exec",
  "clone",
  "postgres",
  "transfer",
  "net",
  "image",
];
/** Cases that take many minutes: only when they are named. */
const long = ["volume"];

await runMain(async () => {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      runs: { type: "string", default: String(runsMin) },
      json: { type: "string" },
      kernel: { type: "string" },
    },
  });
  const runs = Number(values.runs);
  if (!Number.isInteger(runs) || runs < 1)
    throw new ScriptFailure(`"${values.runs}" runs: wanted 1 or more`);
  if (runs < runsMin) say(`note: a figure needs at least ${runsMin} runs; these are a first look`);
  const names = positionals.length === 0 ? order : positionals;
  const unknown = names.find((name) => ![...order, ...long].includes(name));
  if (unknown !== undefined) {
    throw new ScriptFailure(
      `Case "${unknown}" is unknown`,
      `cases: ${[...order, ...long].join(", ")}`,
    );
  }

  await step("dependencies", installDependencies);
  await step("compile", buildDist);
  await step("subject", buildSubject);
  // Only now: it loads what was just built.
  const { openWorkbench } = await import("./workbench.mjs");
  const bench = openWorkbench({ kernel: values.kernel });
  const loadBefore = loadavg()[0];
  const results = [];
  for (const name of names) {
    const { [name]: subject } = await import(`./cases/${name}.mjs`);
    const started = performance.now();
    const figures = await subject.run(bench, runs, (round, total) =>
      say(`  ${name}: ${round === 0 ? "warm-up" : `run ${round} of ${total}`}`),
    );
    const seconds = Math.round((performance.now() - started) / 1000);
    results.push({ name, seconds, figures });
    say(`[${name}] done (${seconds} s)`);
  }
  const report = { host: await describeHost(bench, loadBefore), runs, results };
  process.stdout.write(`\n${hostLine(report.host)}\n\n${renderTable(results)}\n`);
  if (values.json !== undefined)
    await writeFile(values.json, `${JSON.stringify(report, null, 2)}\n`);
  return 0;
});

async function describeHost(bench, loadBefore) {
  const { own, stock, choice } = await bench.ready();
  return {
    date: new Date().toISOString(),
    revision: revision(),
    cpu: cpus()[0]?.model ?? "unknown",
    cpuCount: availableParallelism(),
    memoryMib: Math.round(totalmem() / 1024 / 1024),
    system: `Linux ${release()}`,
    node: process.version,
    qemu: choice.host.vmmVersion,
    acceleration: choice.host.accel,
    accelerationReason: choice.host.accelReason,
    kernel: own.image.version,
    distributionKernel: stock.image.version,
    load: { before: loadBefore, after: loadavg()[0] },
  };
}

function hostLine(host) {
  return [
    `${host.cpuCount} CPUs (${host.cpu}), QEMU ${host.qemu} with ${host.acceleration}, Node ${host.node}`,
    `kernel ${host.kernel}, load ${host.load.before.toFixed(1)} to ${host.load.after.toFixed(1)}`,
  ].join("; ");
}

function revision() {
  try {
    return execFileSync("git", ["rev-parse", "--short", "HEAD"], {
      cwd: root,
      encoding: "utf8",
    }).trim();
  } catch {
    return "unknown";
  }
}
