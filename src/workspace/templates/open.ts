import { CleanupStack } from "../../base/cleanup.ts";
import type { Op } from "../../base/op.ts";
import type { Engine } from "../engine.ts";
import { prepare } from "../prepare.ts";
import { broken } from "./broken.ts";
import { templateFrom } from "./ensure.ts";
import { findSaved } from "./store.ts";
import type { Template, TemplateRequest } from "./template.ts";

/**
 * A template that another process has built, by its key: nothing is digested, and nothing is built. `template_broken`
 * when it is not there, or not whole.
 */
export async function openTemplate(
  op: Op,
  engine: Engine,
  request: TemplateRequest,
  key: string,
): Promise<Template> {
  await using undo = new CleanupStack();
  const prepared = await prepare(op, engine, request.boot, undo);
  const found = await findSaved(op, engine.layout.templates, key);
  if (found.kind === "none") throw broken("it has been removed");
  if (found.kind === "broken") throw broken(found.reason);
  return await templateFrom(op, request, prepared, found, {
    how: "hit",
    reason: "It was built before this process began",
  });
}
