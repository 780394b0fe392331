// @ts-check
// From a bare clone to something that runs. Every step prints what it does and is skipped when its
// result is already there, so running this again costs next to nothing.
//
//   node scripts/bootstrap.mjs           what running machines needs
//   node scripts/bootstrap.mjs --tests   and what the whole test suite needs
import { join } from "node:path";
import { buildDist } from "./build-dist.mjs";
import { installDependencies } from "./dependencies.mjs";
import { installHostPackages, runtimePieces, testPieces } from "./host-packages.mjs";
import { isMain, mustRun, root, run, runMain, step } from "./steps.mjs";

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
  if (want.tests) await step("own kernel", buildKernel);
}

async function buildGuest() {
  await mustRun(process.execPath, [join(root, "scripts", "build-guest.mjs")]);
  return "built";
}

/** The distribution's kernel, fetched through its own package manager into our state directory. */
async function installKernel() {
  if (await hasKernel("apt")) return "distribution kernel is there";
  await mustRun(process.execPath, [cli, "kernel", "install"], { hint: "microagent doctor --fix" });
  return "distribution kernel installed";
}

/** Our own small kernel, compiled from the distribution's source package. */
async function buildKernel() {
  if (await hasKernel("built")) return "own kernel is there";
  await mustRun(process.execPath, [cli, "kernel", "build"], { hint: "microagent kernel build" });
  return "own kernel built";
}

/** @param {"apt" | "built"} source where the kernel came from */
async function hasKernel(source) {
  let text = "";
  const status = await run(process.execPath, [cli, "--json", "kernel", "list"], {
    onStdout: (chunk) => {
      text += chunk;
    },
  });
  if (status !== 0) return false;
  /** @type {{ kernels?: { source?: string }[] }} */
  const list = JSON.parse(text);
  return list.kernels?.some((kernel) => kernel.source === source) ?? false;
}

if (isMain(import.meta.url)) {
  await runMain(async () => {
    await bootstrap({ tests: process.argv.includes("--tests") });
    return 0;
  });
}
