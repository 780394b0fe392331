import type { Op } from "../../base/op.ts";
import { type BootRequest, boot } from "../boot.ts";
import type { Engine } from "../engine.ts";
import type { Workspace } from "../workspace.ts";
import type { RunTemplate } from "./template.ts";

/** What of a run decides whether it can start from a template. */
export interface TemplatedRun {
  readonly boot: BootRequest;
  readonly setup: readonly string[];
  readonly shell: string;
  readonly env: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  /** False: boot and run setup as if there were no templates. */
  readonly useTemplates: boolean;
}

/** A workspace for a run, and what is left to be done in it. */
export interface StartedRun {
  readonly workspace: Workspace;
  /** Setup has run in the machine that this one was started from. */
  readonly isSetUp: boolean;
  /** To be called when setup has run: saves the machine for the next run where that is worth it. */
  afterSetup(op: Op): Promise<void>;
  /** Settles when nothing of the workspace is needed any more for a template. */
  templateOf(): Promise<RunTemplate>;
}

/** Starts a run's machine: from a template when setup has run before, else by a boot. */
export async function startRun(op: Op, engine: Engine, run: TemplatedRun): Promise<StartedRun> {
  const reason = whyNot(run);
  if (reason !== null) return bootedRun(await boot(op, engine, run.boot), reason);
  // Most runs have no setup: they do not wait for the code.
  const { startTemplatedRun } = await import("./start-templated-run.ts");
  return await startTemplatedRun(op, engine, run);
}

function whyNot(run: TemplatedRun): string | null {
  if (!run.useTemplates) return "Templates are turned off for this run";
  if (run.setup.length === 0) return "There is no setup to be spared";
  const { files, onDemand, envFiles } = run.boot.attach.secrets;
  if (files.length + onDemand.length + envFiles.length > 0) {
    return "The run has secrets, which setup may use, and what is saved must hold none";
  }
  if (run.boot.attach.mediation !== null) {
    return "The run has a work channel, which setup may use, and what came over it is for this run";
  }
  return null;
}

/** A run that neither starts from a template nor makes one. */
export function bootedRun(workspace: Workspace, reason: string): StartedRun {
  return {
    workspace,
    isSetUp: false,
    afterSetup: async () => {},
    templateOf: async () => ({ key: null, how: "skipped", reason }),
  };
}
