import { join } from "node:path";
import { CleanupStack } from "../../base/cleanup.ts";
import { asMicroagentError } from "../../base/errors.ts";
import type { Op } from "../../base/op.ts";
import { boot } from "../boot.ts";
import type { Engine } from "../engine.ts";
import { prepare } from "../prepare.ts";
import type { Workspace } from "../workspace.ts";
import { isBroken } from "./broken.ts";
import { cloneSaved } from "./clone-saved.ts";
import { templateKey } from "./key.ts";
import { publish, saveWorkspace, snapshotsOf } from "./save.ts";
import { bootedRun, type StartedRun, type TemplatedRun } from "./start-run.ts";
import { evict, findSaved, removeSaved, touchSaved } from "./store.ts";
import { swapParts } from "./swap-parts.ts";
import type { RunTemplate } from "./template.ts";

/** Starts a run that may use templates: as a clone when there is one, else by a boot that leaves one. */
export async function startTemplatedRun(
  op: Op,
  engine: Engine,
  run: TemplatedRun,
): Promise<StartedRun> {
  await using undo = new CleanupStack();
  const prepared = await prepare(op, engine, run.boot, undo);
  const { snapshots } = prepared.choice;
  if (snapshots === null) {
    return bootedRun(
      await boot(op, engine, run.boot, prepared),
      "Machines cannot be saved on this host",
    );
  }
  const { network } = run.boot.attach;
  if (network !== null && (await swapParts(op, network.swap)).isRemote) {
    return bootedRun(
      await boot(op, engine, run.boot, prepared),
      "The run swaps credentials of a vault or a helper, and setup may use what they open",
    );
  }
  const request = { ...run, files: [], ready: null, setupTimeoutMs: run.timeoutMs };
  const key = await templateKey(op, request, prepared, snapshots);
  const { templates } = engine.layout;
  const found = await findSaved(op, templates, key);
  let useless = found.kind === "broken" ? found.reason : null;
  if (found.kind === "whole") {
    const use = { key, how: "hit", reason: "Setup ran in an earlier run" } as const;
    try {
      const workspace = await cloneSaved(op, engine, prepared, { ...found, use }, run.boot);
      await touchSaved(found.path, op.clock.now());
      return { ...bootedRun(workspace, ""), isSetUp: true, templateOf: async () => use };
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
