import { dirname } from "node:path";
import { isTimeout, type MicroagentError } from "../../base/errors.ts";
import type { Op } from "../../base/op.ts";
import type { BootRequest } from "../boot.ts";
import type { Engine } from "../engine.ts";
import type { Prepared } from "../prepare.ts";
import type { Workspace } from "../workspace.ts";
import { isBroken } from "./broken.ts";
import { cloneSaved, type SavedSource, type StandingClone, standSaved } from "./clone-saved.ts";
import { ensureTemplate } from "./ensure.ts";
import { preparedOf, sourceOf } from "./prepared-template.ts";
import { findSaved, removeSaved } from "./store.ts";
import type { CloneRequest, Template } from "./template.ts";

/**
 * Starts a clone: a machine of its own, with the template's memory and disks to begin with. A template
 * that no clone can be started from is built anew, once, with a warning that says why.
 */
export async function cloneTemplate(
  op: Op,
  engine: Engine,
  template: Template,
  request: CloneRequest,
): Promise<Workspace> {
  return await startedFrom(op, engine, template, request, cloneSaved);
}

/** As `cloneTemplate`, up to the moment before the machine runs. */
export async function standTemplate(
  op: Op,
  engine: Engine,
  template: Template,
  request: CloneRequest,
): Promise<StandingClone> {
  return await startedFrom(op, engine, template, request, standSaved);
}

async function startedFrom<T>(
  op: Op,
  engine: Engine,
  template: Template,
  request: CloneRequest,
  start: (
    op: Op,
    engine: Engine,
    prepared: Prepared,
    source: SavedSource,
    boot: BootRequest,
  ) => Promise<T>,
): Promise<T> {
  const boot = {
    ...template.request.boot,
    name: request.name,
    hostname: request.hostname,
    attach: request.attach ?? template.request.boot.attach,
    bounds: { ...template.request.boot.bounds, bootMs: request.bootMs },
  };
  try {
    return await start(op, engine, preparedOf(template), sourceOf(template), boot);
  } catch (error) {
    if (!isBroken(error)) throw error;
    if (template.request.buildable === false) {
      await discard(op, template, error);
      throw error;
    }
    op.report({ kind: "warning", text: `${error.message}; it is built anew` });
    const { id } = sourceOf(template).manifest;
    const again = await ensureTemplate(op, engine, template.request, {
      instead: { id, reason: error.message },
    });
    return await start(op, engine, preparedOf(again), sourceOf(again), boot);
  }
}

/** Whoever can build it finds none and does; what was built meanwhile stays. */
async function discard(op: Op, template: Template, error: MicroagentError): Promise<void> {
  // A host that is slow says nothing about what was saved.
  if (isTimeout(error.cause)) return;
  const { path, manifest } = sourceOf(template);
  const found = await findSaved(op, dirname(path), template.key);
  if (found.kind === "whole" && found.manifest.id !== manifest.id) return;
  await removeSaved(path);
}
