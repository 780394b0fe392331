// @ts-check
// `npm run fuzz:gate -- --cases N [--seed S]`: the gate against real servers, for longer than the ordinary suite does it.
import { parseArgs } from "node:util";
import { run, runMain, ScriptFailure } from "./steps.mjs";

const test = "test/real/egress/gate-readers.test.ts";

await runMain(async () => {
  const { values } = parseArgs({
    options: { cases: { type: "string", default: "200000" }, seed: { type: "string" } },
  });
  for (const [name, value] of Object.entries(values)) {
    if (/^[0-9]{1,9}$/.test(value)) continue;
    throw new ScriptFailure(
      `Option --${name} is "${value}": expected a whole number`,
      "npm run fuzz:gate -- --cases 200000",
    );
  }
  process.env.GATE_CASES = values.cases;
  // The test prints it.
  process.env.GATE_SEED = values.seed ?? String(Date.now() % 1e9);
  // A case takes about six milliseconds.
  const timeoutMs = 600_000 + Number(values.cases) * 50;
  return await run("npx", ["vitest", "run", test, "--testTimeout", String(timeoutMs)]);
});
