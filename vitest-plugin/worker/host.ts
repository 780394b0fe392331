import { inject } from "vitest";
import {
  createEngine,
  type Engine,
  isMicroagentError,
  MicroagentError,
  type Op,
  openTemplate,
  type RunPlan,
  stateLayout,
  type Template,
} from "../../src/index.ts";
import { noTemplate, type Settings } from "../options.ts";
import type { Provided, ProvidedTemplate } from "../provided.ts";

/** This worker's view of the engine. */
export interface Host {
  readonly engine: Engine;
  readonly settings: Settings;
  template(op: Op, name: string): Promise<Template>;
  /** What the machines of a template were asked to be. */
  plan(name: string): RunPlan;
}

interface Holder {
  host?: { readonly provided: Provided; readonly host: Host };
}

const key = Symbol.for("microagent.vitest.host");

/** The one of this worker, also for copies of this module. */
export function workerHost(): Host {
  const provided = inject("microvm") as Provided | undefined;
  if (provided === undefined) {
    throw new MicroagentError(
      "invalid_argument",
      "The microvm plugin is not in this configuration",
      {
        hint: 'Add it to vitest.config.ts: import { microvm } from "microagent-ci/vitest", then plugins: [microvm({ ... })]',
      },
    );
  }
  const holder = globalThis as { [key]?: Holder };
  holder[key] ??= {};
  const slot = holder[key];
  if (slot.host?.provided !== provided) slot.host = { provided, host: openHost(provided) };
  return slot.host.host;
}

function openHost(provided: Provided): Host {
  const { settings } = provided;
  const engine = createEngine(stateLayout({ stateDir: settings.stateDir ?? undefined }));
  const open = new Map<string, Promise<Template>>();
  return {
    engine,
    settings,
    plan(name) {
      return knownTemplate(provided, name).plan;
    },
    template(op, name) {
      let template = open.get(name);
      if (template === undefined) {
        template = openNamed(op, engine, provided, name);
        open.set(name, template);
        // The next test may have more time.
        template.catch(() => open.delete(name));
      }
      return op.race(template);
    },
  };
}

async function openNamed(
  op: Op,
  engine: Engine,
  provided: Provided,
  name: string,
): Promise<Template> {
  const { key: built, boot, shell, env } = knownTemplate(provided, name);
  if (built === null) {
    throw new MicroagentError("invalid_argument", `Template "${name}" was not built for this run`, {
      hint: `Name it in quotes in the test file, or set build: "always" in its options`,
    });
  }
  const request = {
    boot,
    shell,
    env,
    setup: [],
    files: [],
    ready: null,
    setupTimeoutMs: 1,
    // Only the main process has what it takes.
    buildable: false as const,
  };
  return await explainingBroken(name, openTemplate(op, engine, request, built));
}

/** Settles as `work`, which needs a template, does; one that no machine starts from is built anew by the next run. */
export async function explainingBroken<T>(name: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (!isMicroagentError(error) || error.code !== "template_broken") throw error;
    const { reason } = error.details;
    throw new MicroagentError(
      "template_broken",
      `Template "${name}" cannot be started: ${reason}`,
      {
        cause: error,
        hint: "Run the tests again: it is built anew before they begin",
      },
    );
  }
}

function knownTemplate(provided: Provided, name: string): ProvidedTemplate {
  const known = provided.templates[name];
  if (known === undefined) throw noTemplate(name, provided.templates);
  return known;
}
