import { join } from "node:path";
import { CleanupStack } from "../../base/cleanup.ts";
import { asMicroagentError } from "../../base/errors.ts";
import type { Op } from "../../base/op.ts";
import { type BootRequest, boot } from "../boot.ts";
import type { Engine } from "../engine.ts";
import { prepare } from "../prepare.ts";
import type { Workspace } from "../workspace.ts";
import { isBroken } from "./broken.ts";
import { cloneSaved } from "./clone-saved.ts";
import { templateKey } from "./key.ts";
import { publish, saveWorkspace, snapshotsOf } from "./save.ts";
import { evict, findSaved, removeSaved, touchSaved } from "./store.ts";
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
  if (reason !== null) return plain(await boot(op, engine, run.boot), reason);
  await using undo = new CleanupStack();
  const prepared = await prepare(op, engine, run.boot, undo);
  const { snapshots } = prepared.choice;
  if (snapshots === null) {
    return plain(
      await boot(op, engine, run.boot, prepared),
      "Machines cannot be saved on this host",
    );
  }
  const request = { ...run, files: [], ready: null, setupTimeoutMs: run.timeoutMs };
  const key = await templateKey(request, prepared, snapshots);
  const { templates } = engine.layout;
  const found = await findSaved(op, templates, key);
  let useless = found.kind === "broken" ? found.reason : null;
  if (found.kind === "whole") {
    const use = { key, how: "hit", reason: "Setup ran in an earlier run" } as const;
    try {
      const workspace = await cloneSaved(op, engine, prepared, { ...found, use }, run.boot);
      await touchSaved(found.path, op.clock.now());
      return { ...plain(workspace, ""), isSetUp: true, templateOf: async () => use };
    } catch (error) {
      if (!isBroken(error)) throw error;
      useless = error.message;
    }
  }
  if (useless !== null) {
    op.report({ kind: "warning", text: `A template cannot be used and is made anew: ${useless}` });
    await removeSaved(join(templates, key));
  }
  const workspace = await boot(op, engine, { ...run.boot, saveable: true }, prepared);
  return new Saving(engine, workspace, run.setup, key, useless);
}

function whyNot(run: TemplatedRun): string | null {
  if (!run.useTemplates) return "Templates are turned off for this run";
  if (run.setup.length === 0) return "There is no setup to be spared";
  const { files, onDemand, envFiles } = run.boot.attach.secrets;
  if (files.length + onDemand.length + envFiles.length > 0) {
    return "The run has secrets, which setup may use, and what is saved must hold none";
  }
  return null;
}

function plain(workspace: Workspace, reason: string): StartedRun {
  return {
    workspace,
    isSetUp: false,
    afterSetup: async () => {},
    templateOf: async () => ({ key: null, how: "skipped", reason }),
  };
}

/** A booted workspace that becomes a template on the way. */
class Saving implements StartedRun {
  readonly isSetUp = false;
  readonly workspace: Workspace;
  readonly #engine: Engine;
  readonly #setup: readonly string[];
  readonly #key: string;
  readonly #replaces: string | null;
  #template: Promise<RunTemplate>;

  constructor(
    engine: Engine,
    workspace: Workspace,
    setup: readonly string[],
    key: string,
    replaces: string | null,
  ) {
    this.#engine = engine;
    this.workspace = workspace;
    this.#setup = setup;
    this.#key = key;
    this.#replaces = replaces;
    this.#template = Promise.resolve(this.#skipped("Setup did not come to its end"));
  }

  async afterSetup(op: Op): Promise<void> {
    const { workspace } = this;
    try {
      const saved = await saveWorkspace(op, workspace, snapshotsOf(workspace));
      // The rest needs only files, so the run's command need not wait for it.
      this.#template = this.#publish(op, saved);
    } catch (error) {
      op.check();
      const { message } = asMicroagentError(error);
      op.report({
        kind: "warning",
        text: `This run's machine was not kept as a template: ${message}`,
      });
      this.#template = Promise.resolve(this.#skipped(message));
    }
  }

  templateOf(): Promise<RunTemplate> {
    return this.#template;
  }

  async #publish(op: Op, saved: Awaited<ReturnType<typeof saveWorkspace>>): Promise<RunTemplate> {
    const { layout, templateBytesMax } = this.#engine;
    const key = this.#key;
    try {
      const place = { parent: layout.templates, name: key, key, setup: this.#setup };
      const isOurs = await publish(op, this.workspace, saved, place);
      await evict(op, layout.templates, templateBytesMax, key);
      if (!isOurs) return this.#skipped("Another run has kept the same template meanwhile");
      return this.#replaces === null
        ? { key, how: "built", reason: "There was none for this image, setup and machine" }
        : {
            key,
            how: "rebuilt",
            reason: `The one that was there was of no use: ${this.#replaces}`,
          };
    } catch (error) {
      return this.#skipped(asMicroagentError(error).message);
    }
  }

  #skipped(reason: string): RunTemplate {
    return { key: this.#key, how: "skipped", reason };
  }
}
