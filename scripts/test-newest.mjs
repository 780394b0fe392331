// @ts-check
// `npm run test:newest`: the plugin's tests, and those of the installed package, with the newest versions that the registry
// serves. The ordinary suite has lock files, so that no release of somebody else's changes what it tests. The last
// line is `N passed, N failed`.
import { bootstrap, prepareKernels, prepareTests } from "./bootstrap.mjs";
import { runMain, say, step } from "./steps.mjs";
import { prepareNewestHosts } from "./vitest-hosts.mjs";
import { runVitest } from "./vitest-suites.mjs";

const folders = ["real/vitest", "real/examples", "package"];

await runMain(async () => {
  await bootstrap({ tests: true });
  await Promise.all([prepareKernels(), prepareTests()]);
  await step("newest Vitest", prepareNewestHosts);
  const { passed, failed, skipped } = await runVitest(folders, { MICROAGENT_TEST_NEWEST: "1" });
  if (skipped > 0) say(`${skipped} skipped, named above`);
  process.stdout.write(`${passed} passed, ${failed} failed\n`);
  return failed === 0 ? 0 : 1;
});
