// @ts-check
// Files that are made from the sources: `npm run generate` writes them, `--check` only compares.
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { actionTables, actionYaml } from "./action-metadata.mjs";
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
      inputs: "action/inputs.ts",
      outputs: "action/outputs.ts",
      setup: "action/setup/inputs.ts",
    };
    await bundle(sources, folder);
    const load = (/** @type {string} */ name) =>
      import(pathToFileURL(join(folder, `${name}.js`)).href);
    const { errorTable } = await load("errors");
    const { specFiles } = await load("spec-files");
    return {
      "docs/errors.md": errorsPage(errorTable),
      ...specFiles(),
      ...(await actionFiles(load)),
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** @param {(name: string) => Promise<any>} load @returns {Promise<Record<string, string>>} */
async function actionFiles(load) {
  const { inputDeclarations: inputs } = await load("inputs");
  const { outputDeclarations: outputs } = await load("outputs");
  const { setupInputs, setupOutputs } = await load("setup");
  return {
    "action.yml": actionYaml("action/inputs.ts and action/outputs.ts", {
      name: "microagent",
      description: "Run an Agentfile in a disposable Linux microVM, as a step",
      inputs,
      outputs,
      runs: ["using: node24", "main: action/dist/main.js", "post: action/dist/post.js"],
    }),
    "action/setup/action.yml": actionYaml("action/setup/inputs.ts", {
      name: "microagent setup",
      description: "Put microagent on the PATH and make the runner ready for microVMs",
      inputs: setupInputs,
      outputs: setupOutputs,
      runs: ["using: node24", "main: ../dist/setup.js", "post: ../dist/post.js"],
    }),
    "docs/github-action-reference.md": actionTables(inputs, outputs),
  };
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
