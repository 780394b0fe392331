// @ts-check
// Clients of the egress gate that no package of the distribution has: those of the npm registry, and one in Go.
//
//   node scripts/client-programs.mjs
import { join } from "node:path";
import { ensureGo } from "./find-go.mjs";
import { installLocked } from "./locked-packages.mjs";
import { isMain, mustRun, root, runMain, step } from "./steps.mjs";

const sources = join(root, "test", "fixtures", "clients");
const folder = join(root, ".microagent", "clients");
const hint = "node scripts/client-programs.mjs";

/** Where the packages are. */
export const clientPackages = join(folder, "npm");
/** Where pnpm and yarn are, for a guest. */
export const packageManagers = join(folder, "managers");
export const goClient = join(folder, "go-client");

/** Installs and builds what is not there yet. */
export async function prepareClients() {
  const installed = await installLocked(join(sources, "npm"), clientPackages, hint);
  const { program, env } = await ensureGo();
  // Static, so that a guest of another distribution runs it too. Does nothing when it is built already.
  const options = {
    cwd: join(sources, "go"),
    env: { ...env, CGO_ENABLED: "0" },
    quiet: true,
    hint,
  };
  await mustRun(program, ["build", "-o", goClient, "."], options);
  return installed ? "installed" : "there";
}

/** Installs what `npm run clients` needs besides. */
export async function prepareManagers() {
  const source = join(root, "test", "clients", "managers");
  return (await installLocked(source, packageManagers, hint)) ? "installed" : "there";
}

if (isMain(import.meta.url)) {
  await runMain(async () => {
    await step("clients of the gate", prepareClients);
    return 0;
  });
}
