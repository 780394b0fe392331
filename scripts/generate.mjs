// @ts-check
// Files that are made from the sources: `npm run generate` writes them, `--check` only compares.
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { bundle } from "./bundle.mjs";
import { errorsPage } from "./errors-page.mjs";
import { root, runMain, say } from "./steps.mjs";

/** @returns {Promise<Record<string, string>>} path below the root, and its content */
async function generatedFiles() {
  const folder = await mkdtemp(join(tmpdir(), "microagent-generate-"));
  try {
    const sources = {
      errors: "src/base/errors.ts",
      "spec-files": "src/spec/generate/spec-files.ts",
    };
    await bundle(sources, folder);
    const { errorTable } = await import(pathToFileURL(join(folder, "errors.js")).href);
    const { specFiles } = await import(pathToFileURL(join(folder, "spec-files.js")).href);
    return { "docs/errors.md": errorsPage(errorTable), ...specFiles() };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
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
