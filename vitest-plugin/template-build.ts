import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import {
  bootRequestOf,
  droppedDirectory,
  type Engine,
  ensureTemplate,
  MicroagentError,
  type Op,
  type PrepareStep,
  planRun,
  type Template,
  type Workspace,
} from "../src/index.ts";
import { Life } from "./machine/life.ts";
import { Machine } from "./machine/machine.ts";
import type { TemplateOptions, Timeouts } from "./options.ts";
import type { ProvidedTemplate } from "./provided.ts";

const defaultMemoryMib = 256;
const defaultTimeoutMs = 15 * 60_000;

/** A template's options as the engine's request, but for what only the building process can do. */
export async function describeTemplate(options: TemplateOptions): Promise<ProvidedTemplate> {
  const { network = false } = options;
  const plan = await planRun(
    "run",
    {
      name: "vitest",
      image: options.image,
      exec: "true",
      memory: `${options.memory ?? defaultMemoryMib}`,
      cpus: `${options.cpus ?? 1}`,
      network: network === false ? "isolated" : "user",
      ...(typeof network === "object" ? { egress: "strict", egressAllow: network.allow } : {}),
      ...(options.disk === undefined ? {} : { sizeMib: `${options.disk}` }),
    },
    undefined,
  );
  const { shell = "/bin/sh", env = {} } = options;
  return { key: null, boot: await bootRequestOf(plan), plan: { ...plan, env }, shell, env };
}

/** What a template is built of. */
export interface TemplateBuild {
  readonly engine: Engine;
  /** For people. */
  readonly name: string;
  readonly options: TemplateOptions;
  readonly described: ProvidedTemplate;
  /** The project's: host paths are relative to it. */
  readonly root: string;
  readonly timeouts: Timeouts;
}

/**
 * Builds a template, or finds it.
 *
 * @param last runs after everything that the options ask for
 */
export async function buildTemplate(
  op: Op,
  build: TemplateBuild,
  last: PrepareStep | null = null,
): Promise<Template> {
  const { engine, options, described, root } = build;
  const files = Object.entries(options.files ?? {}).map(([guestPath, hostPath]) =>
    droppedDirectory({ guestPath, hostPath: resolve(root, hostPath) }),
  );
  const given = await prepareStep(build);
  const prepare = given === null || last === null ? (given ?? last) : oneAfterTheOther(given, last);
  return await ensureTemplate(op, engine, {
    boot: described.boot,
    shell: described.shell,
    env: described.env,
    setup: options.setup ?? [],
    files,
    ready: null,
    setupTimeoutMs: options.timeout ?? defaultTimeoutMs,
    ...(prepare === null ? {} : { prepare }),
  });
}

function oneAfterTheOther(first: PrepareStep, second: PrepareStep): PrepareStep {
  return {
    key: `${first.key} ${second.key}`,
    async run(op, workspace) {
      await first.run(op, workspace);
      await second.run(op, workspace);
    },
  };
}

async function prepareStep(build: TemplateBuild): Promise<PrepareStep | null> {
  const { name, options, root } = build;
  const steps = [options.prepare, options.ready].filter((each) => each !== undefined);
  if (steps.length === 0) return null;
  const hash = createHash("sha256");
  // What a function closes over cannot be seen: files that it reads are declared as inputs.
  for (const step of steps) hash.update(`${step.toString()}\0`);
  for (const input of options.inputs ?? []) {
    hash.update(
      await readFile(resolve(root, input)).catch((cause: unknown) => {
        throw new MicroagentError(
          "invalid_argument",
          `Input "${input}" of template "${name}" cannot be read`,
          { cause },
        );
      }),
    );
  }
  return {
    key: hash.digest("hex"),
    async run(op, workspace) {
      const machine = machineOf(build, workspace, op);
      for (const step of steps) await op.race(Promise.resolve(step(machine)));
    },
  };
}

function machineOf(
  { engine, name, described, timeouts }: TemplateBuild,
  workspace: Workspace,
  op: Op,
): Machine {
  const refuse = () => {
    throw new MicroagentError(
      "invalid_argument",
      `Template "${name}" is being prepared: its machine cannot be restored, forked or ended`,
    );
  };
  const parts = {
    engine,
    name: workspace.name,
    hostname: workspace.hostname,
    shell: described.shell,
    template: name,
    memoryMib: described.boot.memoryMib,
    env: described.env,
    life: new Life(timeouts, op.signal, 0),
    begunAtMs: op.clock.now(),
    waitedMs: 0,
    start: refuse,
    room: refuse,
    adopt: refuse,
  };
  return new Machine(parts, workspace);
}
