// @ts-check
// The GitHub Action as a runner gets it: bundled code, the command line, the guest agents and the licences, with
// nothing left to install. Main branches do not hold it; a release does.
import { cp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { buildGuest, everyArchitecture, isStamp } from "./build-guest.mjs";
import { bundle } from "./bundle.mjs";
import { isMain, root, runMain, say } from "./steps.mjs";

/** Sources of the programs, by name. */
export const entries = {
  main: "action/main.ts",
  post: "action/post.ts",
  setup: "action/setup/main.ts",
  cli: "src/cli/main.ts",
  holder: "src/holder.ts",
};

/** Bytes of code that a runner has to fetch and read; the guest agents come on top. */
const codeBytesMax = 6 * 1024 * 1024;

/** @param {string} target absolute directory; gets `dist/`, `guest/bin/`, `kernel/` and a `package.json` */
export async function buildAction(target) {
  await buildGuest(everyArchitecture());
  const code = join(target, "dist");
  await rm(code, { recursive: true, force: true });
  await rm(join(target, "guest"), { recursive: true, force: true });
  await bundle(entries, code, "[name]-[hash].js", true);
  await cp(join(root, "guest", "bin"), join(target, "guest", "bin"), {
    recursive: true,
    filter: (path) => !isStamp(path),
  });
  await cp(join(root, "kernel"), join(target, "kernel"), { recursive: true });
  const { name, version, license } = JSON.parse(await readFile(join(root, "package.json"), "utf8"));
  const own = { name: `${name}-action`, version, license, type: "module", private: true };
  await writeFile(join(target, "package.json"), `${JSON.stringify(own, null, 2)}\n`);
  const codeBytes = await bytesOf(code);
  if (codeBytes > codeBytesMax) {
    throw new Error(`The action's code has ${codeBytes} bytes, at most ${codeBytesMax} are wanted`);
  }
  return { codeBytes, guestBytes: await bytesOf(join(target, "guest")) };
}

/** @param {string} folder @returns {Promise<number>} */
async function bytesOf(folder) {
  const found = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = found.filter((entry) => entry.isFile());
  const sizes = await Promise.all(files.map((entry) => stat(join(entry.parentPath, entry.name))));
  return sizes.reduce((sum, { size }) => sum + size, 0);
}

if (isMain(import.meta.url)) {
  await runMain(async () => {
    const { codeBytes, guestBytes } = await buildAction(join(root, "action"));
    const mib = (/** @type {number} */ bytes) => (bytes / 1024 ** 2).toFixed(2);
    say(`action/dist: ${mib(codeBytes)} MiB of code, ${mib(guestBytes)} MiB of guest agents`);
    return 0;
  });
}
