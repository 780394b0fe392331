// @ts-check
// From a bare clone to something that runs. Every step prints what it does and is skipped when its
// result is already there, so running this again costs next to nothing.
//
//   node scripts/bootstrap.mjs           what running machines needs
//   node scripts/bootstrap.mjs --tests   and what the whole test suite needs
import { delimiter, dirname, join } from "node:path";
import { buildDist } from "./build-dist.mjs";
import { installDependencies } from "./dependencies.mjs";
import { findGo, goPath } from "./find-go.mjs";
import { installHostPackages, runtimePieces, testPieces } from "./host-packages.mjs";
import { isMain, mustRun, root, run, runMain, step } from "./steps.mjs";
import { prepareVitestHosts } from "./vitest-hosts.mjs";

/** The compiled command line, absolute. */
export const cli = join(root, "dist", "src", "cli", "main.js");

/** @param {{ tests: boolean }} want */
export async function bootstrap(want) {
  await step("dependencies", installDependencies);
  await step("host packages", () =>
    installHostPackages(want.tests ? [...runtimePieces, ...testPieces] : runtimePieces),
  );
  await step("guest agent", buildGuest);
  await step("compile", buildDist);
  await step("kernel", installKernel);
  if (!want.tests) return;
  await step("both kernels", bothKernels);
  await step("both majors of Vitest", prepareVitestHosts);
}

async function buildGuest() {
  const go = await installGo();
  // The build calls plain "go", which may lie outside of PATH.
  const env = { ...process.env, PATH: `${process.env.PATH ?? ""}${delimiter}${dirname(go)}` };
  await mustRun(process.execPath, [join(root, "scripts", "build-guest.mjs")], { env });
  return "done";
}

/** @returns {Promise<string>} path of the toolchain */
async function installGo() {
  const found = goPath();
  if (found !== null) return found;
  await installHostPackages([
    { package: "golang-go", program: "go", use: "builds the guest agent" },
  ]);
  return findGo();
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
  await mustRun(process.execPath, [cli, "kernel", "build"]);
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
    await bootstrap({ tests: process.argv.includes("--tests") });
    return 0;
  });
}
