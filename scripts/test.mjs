// @ts-check
// `npm test`: everything, from a bare clone. The last line is `N passed, N failed`.
import { bootstrap } from "./bootstrap.mjs";
import { runGoTests } from "./go-tests.mjs";
import { runMain, say } from "./steps.mjs";
import { runVitest } from "./vitest-suites.mjs";

await runMain(async () => {
  try {
    await bootstrap({ tests: true });
  } catch (error) {
    closingLine(0, 1);
    throw error;
  }
  const go = await runGoTests();
  if (go.passed + go.failed === 0) {
    say("FAIL guest: it ran no test");
    go.failed++;
  }
  const vitest = await runVitest();
  const skipped = go.skipped + vitest.skipped;
  if (skipped > 0) say(`${skipped} skipped, named above`);
  const failed = go.failed + vitest.failed;
  closingLine(go.passed + vitest.passed, failed);
  return failed === 0 ? 0 : 1;
});

/** @param {number} passed @param {number} failed */
function closingLine(passed, failed) {
  process.stdout.write(`${passed} passed, ${failed} failed\n`);
}
