// @ts-check
// From a bare clone to a report computed inside a microVM: bootstrap, then one dispatch of
// examples/quickstart. Words after `npm run quickstart --` go to `microagent dispatch`.
import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { bootstrap, cli } from "./bootstrap.mjs";
import { root, run, runMain, say } from "./steps.mjs";

const agentfile = join(root, "examples", "quickstart", "microagent.yaml");
const outputDir = join(root, "microagent-out", "quickstart");

await runMain(async () => {
  await bootstrap({ tests: false });
  const words = ["dispatch", "--file", agentfile, "--output-dir", outputDir];
  const given = process.argv.slice(2);
  const args = [...words, ...hostSuite(), ...given];
  say(`\n$ microagent ${args.map((word) => shown(word)).join(" ")}`);
  const status = await run(process.execPath, [cli, ...args]);
  // Flags of the caller may have sent the artifacts elsewhere; the command has said where.
  if (status === 0 && given.length === 0) showArtifacts();
  return status;
});

/** The image of the Agentfile names one Debian suite; elsewhere take the host's own suite. */
function hostSuite() {
  const spec = readFileSync(agentfile, "utf8");
  const named = /^image: mmdebstrap:([^?\s]+)(\?\S+)?$/m.exec(spec);
  const release = readFileSync("/etc/os-release", "utf8");
  const own = /^VERSION_CODENAME="?([a-z]+)"?$/m.exec(release)?.[1];
  if (named === null || own === undefined || own === named[1]) return [];
  return ["--image", `mmdebstrap:${own}${named[2] ?? ""}`];
}

function showArtifacts() {
  say(`\nThe artifacts are in ${shown(outputDir)}:`);
  for (const entry of readdirSync(outputDir, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) say(`  ${shown(join(entry.parentPath, entry.name))}`);
  }
}

/** @param {string} word a path below the working directory is shown relative to it */
function shown(word) {
  return word.startsWith(`${process.cwd()}/`) ? relative(process.cwd(), word) : word;
}
