// @ts-check
// Both majors of Vitest that the plugin supports, each beside a copy of this package: the plugin's tests run their
// projects there. The older one is this repository's own. The newer one is installed as its lock file says, with a
// Node of its own, which an older host's could not replace.
//
//   node scripts/vitest-hosts.mjs            what the test suite runs
//   node scripts/vitest-hosts.mjs --newest   both majors with the newest Vitest and Vite of the registry
import { cp, mkdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { installLocked, quiet } from "./locked-packages.mjs";
import { isMain, mustRun, root, runMain, step } from "./steps.mjs";

// Not below node_modules: Vitest watches nothing there.
const hosts = join(root, ".microagent", "vitest-hosts");
const newer = join(root, "test", "real", "vitest", "hosts", "5");
/** Of the older major, which this repository is tested with itself. */
const ours = ["vitest", "@vitest/coverage-v8"];
const hint = "node scripts/vitest-hosts.mjs";

/** Installs the newer major once, and refreshes the copies of this package. */
export async function prepareVitestHosts() {
  const installed = await installLocked(newer, join(hosts, "5"), hint);
  for (const major of ["4", "5"]) await copyPackage(join(hosts, major));
  await linkOurs(join(hosts, "4"));
  return installed ? "installed" : "there";
}

/** Both majors as somebody gets them who installs today; always from the registry. */
export async function prepareNewestHosts() {
  const found = [];
  for (const major of ["4", "5"]) {
    const host = join(hosts, `${major}-newest`);
    await rm(host, { recursive: true, force: true });
    await mkdir(host, { recursive: true });
    await writeFile(join(host, "package.json"), JSON.stringify(await newestOf(major)));
    await mustRun("npm", ["install", "--no-package-lock", ...quiet], { cwd: host, hint });
    await copyPackage(host);
    found.push(
      `Vitest ${await versionIn(host, "vitest")} with Vite ${await versionIn(host, "vite")}`,
    );
  }
  return found.join(", ");
}

/** @param {string} major */
async function newestOf(major) {
  const { dependencies, ...locked } = JSON.parse(
    await readFile(join(newer, "package.json"), "utf8"),
  );
  const range = `^${major}`;
  const newest = { vitest: range, "@vitest/coverage-v8": range, vite: "latest" };
  return { ...locked, dependencies: { ...dependencies, ...newest } };
}

/** @param {string} host @param {string} name */
async function versionIn(host, name) {
  const text = await readFile(join(host, "node_modules", name, "package.json"), "utf8");
  return JSON.parse(text).version;
}

/** @param {string} host A copy: a link would lead back to this repository's own Vitest. */
async function copyPackage(host) {
  const target = join(host, "node_modules", "microagent-ci");
  const stamp = await readFile(join(root, "dist", ".built-from"), "utf8").catch(() => null);
  const copied = await readFile(join(target, "dist", ".built-from"), "utf8").catch(() => "");
  if (stamp !== null && stamp === copied) return;
  await rm(target, { recursive: true, force: true });
  await mkdir(join(target, "guest"), { recursive: true });
  await cp(join(root, "dist"), join(target, "dist"), { recursive: true });
  await cp(join(root, "package.json"), join(target, "package.json"));
  await symlink(join(root, "guest", "bin"), join(target, "guest", "bin"));
}

/** @param {string} host */
async function linkOurs(host) {
  // Without one, the project above would be this repository itself.
  await writeFile(join(host, "package.json"), JSON.stringify({ private: true, type: "module" }));
  for (const name of ours) {
    const link = join(host, "node_modules", name);
    await mkdir(dirname(link), { recursive: true });
    await rm(link, { force: true });
    await symlink(join(root, "node_modules", name), link);
  }
}

if (isMain(import.meta.url)) {
  await runMain(async () => {
    if (process.argv.includes("--newest")) await step("newest Vitest", prepareNewestHosts);
    else await step("vitest hosts", prepareVitestHosts);
    return 0;
  });
}
