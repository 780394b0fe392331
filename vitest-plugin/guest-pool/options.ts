import { z } from "zod";
import { isMicroagentError, MicroagentError } from "../../src/index.ts";
import {
  type MicrovmOptions,
  resolveOptions,
  type Settings,
  type TemplateOptions,
} from "../options.ts";

export interface MicrovmPoolOptions {
  /**
   * The machine that test files run in; an image alone is a template too. Default: `mmdebstrap:bookworm` with
   * 512 MiB.
   */
  readonly template?: string | (Partial<TemplateOptions> & { readonly build?: never }) | undefined;
  /** Path of the image's own Node. Default: the Node that runs Vitest is copied in, as `/usr/local/bin/node`. */
  readonly node?: string | undefined;
  /** Packages of the project that each machine has from the beginning. Others are copied in when they are imported. */
  readonly packages?: readonly string[] | undefined;
  /** Files and directories, relative to the project's root, that tests read; each machine gets them as they are then. */
  readonly files?: readonly string[] | undefined;
  /** Environment of the tests, over what Vitest gives them. Nothing else of the host's reaches them. */
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** What a test file may take in its machine, in milliseconds; default 10 min, 0 for no limit. */
  readonly fileTimeout?: number | undefined;
  readonly budget?: MicrovmOptions["budget"];
  readonly timeouts?: MicrovmOptions["timeouts"];
  readonly stateDir?: string | undefined;
}

/** The options with every question answered. */
export interface PoolSettings extends Settings {
  readonly machine: TemplateOptions;
  /** Null: the host's. */
  readonly node: string | null;
  readonly packages: readonly string[];
  readonly files: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly fileTimeoutMs: number;
}

const defaultImage = "mmdebstrap:bookworm";
const defaultMemoryMib = 512;
const defaultFileTimeoutMs = 10 * 60_000;

const schema = z.strictObject({
  template: z.union([z.string().min(1), z.looseObject({})]).optional(),
  node: z.string().startsWith("/").optional(),
  packages: z.array(z.string().min(1)).optional(),
  files: z.array(z.string().min(1)).optional(),
  env: z.record(z.string(), z.string()).optional(),
  fileTimeout: z.number().nonnegative().optional(),
  budget: z.unknown().optional(),
  timeouts: z.unknown().optional(),
  stateDir: z.string().min(1).optional(),
});

/** Checks options and fills in what was left out. `invalid_argument` names the place. */
export function resolvePoolOptions(options: MicrovmPoolOptions): PoolSettings {
  const parsed = schema.safeParse(options);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const place = ["microvmPool()", ...(issue?.path ?? [])].join(".");
    throw new MicroagentError("invalid_argument", `Option "${place}": ${issue?.message ?? ""}`);
  }
  const { template = {}, budget, timeouts, stateDir } = options;
  const given = typeof template === "string" ? { image: template } : template;
  const machine = { image: defaultImage, memory: defaultMemoryMib, ...given };
  const { settings } = checked(() =>
    resolveOptions({ templates: { machine }, budget, timeouts, stateDir }),
  );
  return {
    ...settings,
    machine,
    node: options.node ?? null,
    packages: options.packages ?? [],
    files: options.files ?? [],
    env: options.env ?? {},
    fileTimeoutMs: options.fileTimeout ?? defaultFileTimeoutMs,
  };
}

/** Names the place as it is in these options. */
function checked<T>(check: () => T): T {
  try {
    return check();
  } catch (error) {
    if (!isMicroagentError(error)) throw error;
    const message = error.message
      .replace("microvm().templates.machine", "microvmPool().template")
      .replace("microvm()", "microvmPool()");
    throw new MicroagentError(error.code, message);
  }
}
