// @ts-check
// `npm run ok`: every check that needs no machine, one line per gate. All gates run, also after a
// failure, so that one look shows everything there is to mend.
import { join } from "node:path";
import { installDependencies } from "./dependencies.mjs";
import { ensureGo } from "./find-go.mjs";
import { root, run, runMain, say, step } from "./steps.mjs";

/** @param {string} path a program below node_modules @param {string[]} args */
function tool(path, ...args) {
  return [process.execPath, join(root, "node_modules", path), ...args];
}

await runMain(async () => {
  await step("dependencies", installDependencies);
  const go = await ensureGo();
  /** @type {Record<string, string[]>} */
  const gates = {
    typecheck: tool("typescript/bin/tsc", "-p", "tsconfig.json", "--noEmit"),
    "typecheck scripts": tool("typescript/bin/tsc", "-p", "tsconfig.scripts.json", "--noEmit"),
    lint: tool("@biomejs/biome/bin/biome", "check", "."),
    "dead code": tool("knip/bin/knip.js"),
    generated: [process.execPath, join(root, "scripts", "generate.mjs"), "--check"],
    "go vet": [go.program, "-C", "guest", "vet", "./..."],
    tidy: tool("vitest/vitest.mjs", "run", "--project", "tidy"),
    unit: tool("vitest/vitest.mjs", "run", "--project", "unit"),
  };
  let broken = 0;
  for (const [name, [file = "", ...args]] of Object.entries(gates)) {
    const started = performance.now();
    const status = await run(file, args, { quiet: true, env: go.env });
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    say(`${status === 0 ? "ok    " : "FAILED"} ${name} (${seconds} s)`);
    if (status !== 0) broken++;
  }
  say(broken === 0 ? "everything is ok" : `${broken} gates failed`);
  return broken === 0 ? 0 : 1;
});
