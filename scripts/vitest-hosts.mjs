// @ts-check
// Both majors of Vitest that the plugin supports, each beside a copy of this package: the plugin's tests run their
// projects there. The newer one comes with a Node of its own, which an older host's could not replace.
import { cp, mkdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { isMain, mustRun, root, runMain, step } from "./steps.mjs";

const newer = {
  vitest: "5.1.1",
  "@vitest/coverage-v8": "5.1.1",
  node: "22.23.3",
  // The compiler that came before the one of this repository: types have to hold under both.
  typescript: "5.9.3",
};
/** Of the older major, which this repository is tested with itself. */
const ours = ["vitest", "@vitest/coverage-v8"];
// Not below node_modules: Vitest watches nothing there.
const hosts = join(root, ".microagent", "vitest-hosts");

/** Installs the newer major once, and refreshes the copies of this package. */
export async function prepareVitestHosts() {
  const installed = await installNewer();
  for (const major of ["4", "5"]) await copyPackage(join(hosts, major));
  return installed ? "installed" : "there";
}

async function installNewer() {
  const host = join(hosts, "5");
  const wanted = JSON.stringify({ private: true, type: "module", dependencies: newer });
  const stamp = join(host, ".installed");
  if ((await readFile(stamp, "utf8").catch(() => null)) === wanted) return false;
  await mkdir(host, { recursive: true });
  await writeFile(join(host, "package.json"), wanted);
  const words = ["install", "--no-audit", "--no-fund", "--no-package-lock", "--loglevel=error"];
  await mustRun("npm", words, { cwd: host, hint: "node scripts/vitest-hosts.mjs" });
  await writeFile(stamp, wanted);
  return true;
}

/** @param {string} host A copy: a link would lead back to this repository's own Vitest. */
async function copyPackage(host) {
  const modules = join(host, "node_modules");
  const target = join(modules, "microagent-ci");
  const stamp = await readFile(join(root, "dist", ".built-from"), "utf8").catch(() => null);
  const copied = await readFile(join(target, "dist", ".built-from"), "utf8").catch(() => "");
  if (stamp === null || stamp !== copied) {
    await rm(target, { recursive: true, force: true });
    await mkdir(join(target, "guest"), { recursive: true });
    await cp(join(root, "dist"), join(target, "dist"), { recursive: true });
    await cp(join(root, "package.json"), join(target, "package.json"));
    await symlink(join(root, "guest", "bin"), join(target, "guest", "bin"));
  }
  if (!host.endsWith("4")) return;
  // Without one, the project above would be this repository itself.
  await writeFile(join(host, "package.json"), JSON.stringify({ private: true, type: "module" }));
  await mkdir(join(modules, "@vitest"), { recursive: true });
  for (const name of ours) {
    await rm(join(modules, name), { force: true });
    await symlink(join(root, "node_modules", name), join(modules, name));
  }
}

if (isMain(import.meta.url)) {
  await runMain(async () => {
    await step("vitest hosts", prepareVitestHosts);
    return 0;
  });
}
