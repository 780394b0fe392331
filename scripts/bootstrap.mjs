// @ts-check
// From a bare clone to something that runs. Every step prints what it does and is skipped when its
// result is already there, so running this again costs next to nothing.
//
//   node scripts/bootstrap.mjs           what running machines needs
//   node scripts/bootstrap.mjs --tests   and what the whole test suite needs
import { join } from "node:path";
import { buildDist } from "./build-dist.mjs";
import { buildGuest, everyArchitecture } from "./build-guest.mjs";
import { prepareClients } from "./client-programs.mjs";
import { installDependencies } from "./dependencies.mjs";
import { goPieces } from "./find-go.mjs";
import { hostArchitecture } from "./go-toolchain.mjs";
import { installHostPackages, runtimePieces, testPieces } from "./host-packages.mjs";
import { isMain, mustRun, root, run, runMain, step } from "./steps.mjs";
import { prepareVitestHosts } from "./vitest-hosts.mjs";

/** The compiled command line, absolute. */
export const cli = join(root, "dist", "src", "cli", "main.js");

/**
 * What running machines needs; with `tests`, the host packages of the test suite as well.
 *
 * @param {{ tests: boolean }} want
 */
export async function bootstrap(want) {
  await step("dependencies", installDependencies);
  await step("host packages", () =>
    installHostPackages([...runtimePieces, ...goPieces(), ...(want.tests ? testPieces : [])]),
  );
  await step("guest agent", () => buildGuest([hostArchitecture()]));
  await step("compile", buildDist);
  await step("kernel", installKernel);
}

/** What the tests need besides, and the quick ones and Go's can do without. */
export async function prepareKernels() {
  await step("both kernels", bothKernels);
}

/** What the tests need besides, from the first one on. */
export async function prepareTests() {
  await step("guest agents of every architecture", () => buildGuest(everyArchitecture()));
  await step("both majors of Vitest", prepareVitestHosts);
  await step("clients of the gate", prepareClients);
}

/** What a boot without `--kernel` uses; by default the distribution's, through its package manager. */
async function installKernel() {
  if (await hasKernel((kernel) => kernel.default === true)) return "there";
  await mustRun(process.execPath, [cli, "kernel", "install"], { hint: "microagent doctor --fix" });
  return "distribution kernel installed";
}

/** The machine tests run on both kernels: the distribution's, and our own from its source package. */
async function bothKernels() {
  if (!(await hasKernel((kernel) => kernel.source === "apt"))) {
    await mustRun(process.execPath, [cli, "kernel", "install"]);
  }
  // Does nothing when the kernel of this version's configuration is built already.
  await mustRun(process.execPath, [cli, "kernel", "build"], { quiet: true });
  return "there";
}

/**
 * @typedef {{ source?: string | null, default?: boolean, status?: string }} Kernel
 * @param {(kernel: Kernel) => boolean} wanted
 */
async function hasKernel(wanted) {
  let text = "";
  const status = await run(process.execPath, [cli, "--json", "kernel", "list"], {
    onStdout: (chunk) => {
      text += chunk;
    },
  });
  if (status !== 0) return false;
  /** @type {{ kernels: Kernel[] }} */
  const { kernels } = JSON.parse(text);
  return kernels.some((kernel) => kernel.status === "installed" && wanted(kernel));
}

if (isMain(import.meta.url)) {
  await runMain(async () => {
    const tests = process.argv.includes("--tests");
    await bootstrap({ tests });
    if (tests) await Promise.all([prepareKernels(), prepareTests()]);
    return 0;
  });
}
