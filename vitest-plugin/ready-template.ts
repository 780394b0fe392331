import {
  admit,
  cloneTemplate,
  type Engine,
  hostEnvironment,
  type Op,
  randomHex,
  type Template,
} from "../src/index.ts";
import type { Settings } from "./options.ts";
import { pluginState } from "./plugin-state.ts";
import type { ProvidedTemplate } from "./provided.ts";

/**
 * Has a template built or found by `build`, and starts a machine of one that was found: one that looks whole and starts
 * none (on a host that has changed, for one) is built anew here, once, and not found out by every test. Its machine
 * counts like those of tests, of all runs. `over_budget` at once when it can never run.
 */
export async function readyTemplate(
  op: Op,
  engine: Engine,
  { budget, timeouts }: Settings,
  { boot: { memoryMib, cpus } }: ProvidedTemplate,
  build: () => Promise<Template>,
): Promise<Template> {
  const group = `build${hostEnvironment.pid.toString(36)}`;
  const room = await op.step(
    "admission",
    (step) => admit(step, engine.layout, budget, { memoryMib, cpus, group }),
    { timeoutMs: timeouts.admission },
  );
  try {
    const template = await build();
    if (!template.built) await tryOnce(op, engine, template, timeouts.boot);
    return template;
  } finally {
    await room.release();
  }
}

async function tryOnce(op: Op, engine: Engine, template: Template, bootMs: number): Promise<void> {
  const { tried } = pluginState();
  if (tried.has(template.key)) return;
  const own = { name: `vitest-trial-${randomHex(4)}`, hostname: "trial", bootMs };
  await using _machine = await cloneTemplate(op, engine, template, own);
  tried.add(template.key);
}
