// @ts-check
// Files that are made from the sources: `npm run generate` writes them, `--check` only compares.
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { buildDist } from "./build-dist.mjs";
import { errorsPage } from "./errors-page.mjs";
import { root, runMain, say } from "./steps.mjs";

/** @returns {Promise<Record<string, string>>} path below the root, and its content */
async function generatedFiles() {
  await buildDist();
  const { errorTable } = await compiled("src/base/errors.js");
  const { specFiles } = await compiled("src/spec/generate/spec-files.js");
  return { "docs/errors.md": errorsPage(errorTable), ...specFiles() };
}

/** @param {string} path below dist */
function compiled(path) {
  return import(pathToFileURL(join(root, "dist", path)).href);
}

await runMain(async () => {
  const check = process.argv.includes("--check");
  let stale = 0;
  for (const [path, content] of Object.entries(await generatedFiles())) {
    const found = await readFile(join(root, path), "utf8").catch(() => null);
    if (found === content) continue;
    stale++;
    if (check) say(`${path} is not what its source says, run: npm run generate`);
    else {
      await writeFile(join(root, path), content);
      say(`wrote ${path}`);
    }
  }
  return check && stale > 0 ? 1 : 0;
});
