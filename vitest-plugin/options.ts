import { z } from "zod";
import { type Budget, hostEnvironment, MicroagentError } from "../src/index.ts";
import type { Machine } from "./machine/machine.ts";

/** Milliseconds that each kind of step may take. None outlasts its test. */
export interface Timeouts {
  /** Starting a clone, saving, forking; default 60 s. */
  readonly boot: number;
  /** A wait of `waitFor` and `until`; default 15 s. */
  readonly wait: number;
  /** A command, a request, a file; default 30 s. */
  readonly exec: number;
  /** Collecting evidence and tearing down, after a test; default 20 s. */
  readonly teardown: number;
  /** Waiting for room in the budget; default 5 min. */
  readonly admission: number;
}

/** A machine that is prepared once and cloned by tests. */
export interface TemplateOptions {
  /** As for `microagent run`: a registry's, a local layout's, or `mmdebstrap:...`. */
  readonly image: string;
  /** MiB; default 256. */
  readonly memory?: number | undefined;
  /** Default 1. */
  readonly cpus?: number | undefined;
  /** MiB of writable disk; default as for `microagent run`. */
  readonly disk?: number | undefined;
  /** A way out for the guest: all that the guarded mode lets through, or only hosts that are listed. Default none. */
  readonly network?: boolean | { readonly allow: readonly string[] } | undefined;
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** Host files and directories by guest path, there before setup. */
  readonly files?: Readonly<Record<string, string>> | undefined;
  /** Shell commands, as root. */
  readonly setup?: readonly string[] | undefined;
  /** Default `/bin/sh`. */
  readonly shell?: string | undefined;
  /** Runs after setup, in the machine that is then saved: start services, seed databases. */
  readonly prepare?: ((vm: Machine) => unknown) | undefined;
  /** Ends when the machine is ready to be saved; runs after `prepare`. */
  readonly ready?: ((vm: Machine) => unknown) | undefined;
  /** Host files that `prepare` reads: a change of one is another template. */
  readonly inputs?: readonly string[] | undefined;
  /** All of the above together, in milliseconds; default 15 min. */
  readonly timeout?: number | undefined;
  /** Build it also when no selected test file names it; default: only when one does. */
  readonly build?: "needed" | "always" | undefined;
}

export interface FailureOptions {
  /** Lines of the console's end in the report; default 20. */
  readonly consoleLines?: number | undefined;
  /** Commands in the report; default 5. */
  readonly commands?: number | undefined;
  /** Guest files to attach, as glob patterns. */
  readonly files?: readonly string[] | undefined;
  /** Save the machine as it was when the test failed, to be opened again; default false. */
  readonly snapshot?: boolean | undefined;
}

export interface MicrovmOptions {
  /** An image alone is a template without setup. The first one is the default. */
  readonly templates?: Readonly<Record<string, string | TemplateOptions>> | undefined;
  /** The template of tests that name none; default: the first. */
  readonly template?: string | undefined;
  /** What all machines of this host may take together, over all workers and runs. */
  readonly budget?:
    | {
        /** MiB, or a share of the host's memory; default "60%". */
        readonly memory?: number | `${number}%` | undefined;
        /** Virtual processors; default four for each of the host's. */
        readonly cpus?: number | undefined;
        /** Default 32. */
        readonly machines?: number | undefined;
      }
    | undefined;
  /**
   * Machines that each worker keeps ready for the tests of its file that are still to come, of each kind that one of
   * them has had; within the budget, and only where nobody waits for room. Default 0.
   */
  readonly warm?: number | undefined;
  readonly onFailure?: FailureOptions | undefined;
  /** Multiplied by `scale`, else by MICROAGENT_VITEST_TIMEOUT_SCALE. */
  readonly timeouts?: (Partial<Timeouts> & { readonly scale?: number }) | undefined;
  /** Default: MICROAGENT_STATE_DIR, else `~/.microagent`. */
  readonly stateDir?: string | undefined;
}

/** The options with every question answered, without functions: they go to the workers. */
export interface Settings {
  readonly template: string | null;
  readonly budget: Budget;
  readonly warm: number;
  readonly timeouts: Timeouts;
  readonly onFailure: Required<{ [K in keyof FailureOptions]: NonNullable<FailureOptions[K]> }>;
  readonly stateDir: string | null;
}

const count = z.number().int().positive();
const milliseconds = z.number().positive();
const texts = z.record(z.string(), z.string());
const callback = z.custom<(vm: Machine) => unknown>((value) => typeof value === "function", {
  message: "wanted a function",
});
const templateSchema = z.strictObject({
  image: z.string().min(1),
  memory: count.optional(),
  cpus: count.optional(),
  disk: count.optional(),
  network: z.union([z.boolean(), z.strictObject({ allow: z.array(z.string()) })]).optional(),
  env: texts.optional(),
  files: texts.optional(),
  setup: z.array(z.string()).optional(),
  shell: z.string().startsWith("/").optional(),
  prepare: callback.optional(),
  ready: callback.optional(),
  inputs: z.array(z.string()).optional(),
  timeout: milliseconds.optional(),
  build: z.enum(["needed", "always"]).optional(),
});
const schema = z.strictObject({
  templates: z.record(z.string().regex(/^[A-Za-z0-9][\w.-]{0,62}$/), templateSchema).optional(),
  template: z.string().optional(),
  budget: z
    .strictObject({
      memory: z.union([count, z.string().regex(/^\d{1,3}%$/, 'wanted MiB or "60%"')]).optional(),
      cpus: count.optional(),
      machines: count.optional(),
    })
    .optional(),
  warm: z.number().int().min(0).max(32).optional(),
  onFailure: z
    .strictObject({
      consoleLines: z.number().int().min(0).optional(),
      commands: z.number().int().min(0).optional(),
      files: z.array(z.string()).optional(),
      snapshot: z.boolean().optional(),
    })
    .optional(),
  timeouts: z
    .strictObject({
      boot: milliseconds.optional(),
      wait: milliseconds.optional(),
      exec: milliseconds.optional(),
      teardown: milliseconds.optional(),
      admission: milliseconds.optional(),
      scale: z.number().positive().optional(),
    })
    .optional(),
  stateDir: z.string().min(1).optional(),
});

/** Checks options and fills in what was left out. `invalid_argument` names the place. */
export function resolveOptions(options: MicrovmOptions): {
  readonly settings: Settings;
  readonly templates: Readonly<Record<string, TemplateOptions>>;
} {
  // An image alone is a template too.
  const templates = Object.fromEntries(
    Object.entries(options.templates ?? {}).map(([name, given]) => [
      name,
      typeof given === "string" ? { image: given } : given,
    ]),
  );
  const parsed = schema.safeParse({ ...options, ...(options.templates && { templates }) });
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const place = ["microvm()", ...(issue?.path ?? [])].join(".");
    throw new MicroagentError("invalid_argument", `Option "${place}": ${issue?.message ?? ""}`);
  }
  const template = options.template ?? Object.keys(templates)[0] ?? null;
  if (template !== null && templates[template] === undefined) throw noTemplate(template, templates);
  const { onFailure = {} } = options;
  return {
    templates,
    settings: {
      template,
      budget: budgetOf(options.budget ?? {}),
      warm: options.warm ?? 0,
      timeouts: timeoutsOf(options.timeouts ?? {}),
      onFailure: {
        consoleLines: onFailure.consoleLines ?? 20,
        commands: onFailure.commands ?? 5,
        files: onFailure.files ?? [],
        snapshot: onFailure.snapshot ?? hostEnvironment.env("MICROAGENT_VITEST_KEEP") === "1",
      },
      stateDir: options.stateDir ?? null,
    },
  };
}

export function noTemplate(name: string, templates: Readonly<Record<string, unknown>>) {
  const known = Object.keys(templates).map((each) => `"${each}"`);
  return new MicroagentError(
    "invalid_argument",
    `There is no template "${name}", wanted ${known.length === 0 ? "one" : `one of ${known.join(", ")}`}`,
    { hint: "Declare it in vitest.config.ts: microvm({ templates: { name: { image: ... } } })" },
  );
}

/**
 * What machines may take together. A number may be more than the host has, whose machines rarely use all they are given;
 * beyond the limit of a container the kernel kills them.
 */
export function budgetOf(
  budget: NonNullable<MicrovmOptions["budget"]>,
  host: Pick<
    typeof hostEnvironment,
    "memoryMib" | "memoryLimitedBy" | "cpuCount"
  > = hostEnvironment,
): Budget {
  const { memoryMib, memoryLimitedBy, cpuCount } = host;
  const told = Number(hostEnvironment.env("MICROAGENT_VITEST_BUDGET_MIB"));
  const wanted = told > 0 ? told : (budget.memory ?? "60%");
  const share = typeof wanted === "number" ? null : Number(wanted.slice(0, -1)) / 100;
  const asked = share === null ? Number(wanted) : Math.floor(memoryMib * share);
  return {
    memoryMib: memoryLimitedBy === null ? asked : Math.min(asked, memoryMib),
    cpus: budget.cpus ?? cpuCount * 4,
    machines: budget.machines ?? 32,
  };
}

function timeoutsOf(given: NonNullable<MicrovmOptions["timeouts"]>): Timeouts {
  const told = Number(hostEnvironment.env("MICROAGENT_VITEST_TIMEOUT_SCALE"));
  const scale = given.scale ?? (told > 0 ? told : 1);
  return {
    boot: (given.boot ?? 60_000) * scale,
    wait: (given.wait ?? 15_000) * scale,
    exec: (given.exec ?? 30_000) * scale,
    teardown: (given.teardown ?? 20_000) * scale,
    admission: (given.admission ?? 300_000) * scale,
  };
}
