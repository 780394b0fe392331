// @ts-check
// `npm run clients [-- -t PATTERN]`: real clients in a guest of Debian 13, against real servers on loopback, through the egress
// gate. The ordinary suite runs the fast part of it (test/real/egress/clients-*). Needs root, which some of the servers do, and installs what is missing.
import { bootstrap, prepareTests } from "./bootstrap.mjs";
import { prepareManagers } from "./client-programs.mjs";
import { clientServerPieces, installHostPackages } from "./host-packages.mjs";
import { run, runMain, ScriptFailure, step } from "./steps.mjs";

await runMain(async () => {
  if (process.getuid?.() !== 0) {
    throw new ScriptFailure(
      "Servers of files and shells have to be started by root",
      'sudo env "PATH=$PATH" npm run clients',
    );
  }
  await bootstrap({ tests: true });
  await step("servers of the clients", () => installHostPackages(clientServerPieces));
  await prepareTests();
  await step("package managers", prepareManagers);
  return await run("npx", ["vitest", "run", "--project", "clients", ...process.argv.slice(2)]);
});
