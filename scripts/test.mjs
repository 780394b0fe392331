// @ts-check
// `npm test`: everything, from a bare clone. The last line is `N passed, N failed`. On a fresh machine the kernel is compiled
// beside the tests that boot none with it, which leave processors idle now and then.
import { bootstrap, prepareKernels, prepareTests } from "./bootstrap.mjs";
import { runGoTests } from "./go-tests.mjs";
import { runMain, say, step } from "./steps.mjs";
import { runVitest, suites } from "./vitest-suites.mjs";

/** Suites that start machines. */
const live = ["contract", "real"];

await runMain(async () => {
  /** @type {Counts[]} */
  const parts = [];
  try {
    await bootstrap({ tests: true });
    const kernels = prepareKernels();
    // It fails below, after what went on beside it.
    kernels.catch(() => {});
    await prepareTests();
    parts.push(await countedGoTests());
    parts.push(await runVitest(suites.filter((suite) => !live.includes(suite))));
    await kernels;
    parts.push(await runVitest(live));
    return close(parts);
  } catch (error) {
    // What ran until then counts, and so does what could not.
    close([...parts, { passed: 0, failed: 1, skipped: 0 }]);
    throw error;
  }
});

/** @typedef {{ passed: number, failed: number, skipped: number }} Counts */

/** @returns {Promise<Counts>} */
async function countedGoTests() {
  /** @type {Counts} */
  let counts = { passed: 0, failed: 1, skipped: 0 };
  await step("tests of the guest agent", async () => {
    counts = await runGoTests();
    if (counts.passed + counts.failed === 0) {
      say("FAIL guest: it ran no test");
      counts.failed++;
    }
    return `${counts.passed} passed, ${counts.failed} failed`;
  });
  return counts;
}

/** @param {readonly Counts[]} parts @returns {number} the exit code */
function close(parts) {
  const sum = (/** @type {keyof Counts} */ kind) =>
    parts.reduce((total, part) => total + part[kind], 0);
  if (sum("skipped") > 0) say(`${sum("skipped")} skipped, named above`);
  closingLine(sum("passed"), sum("failed"));
  return sum("failed") === 0 ? 0 : 1;
}

/** @param {number} passed @param {number} failed */
function closingLine(passed, failed) {
  process.stdout.write(`${passed} passed, ${failed} failed\n`);
}
