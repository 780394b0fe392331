import { join } from "node:path";
import { MicroagentError } from "../../base/errors.ts";
import type { Op } from "../../base/op.ts";
import type { Engine } from "../engine.ts";
import { evict, listSaved, removeSaved, type Stored } from "./store.ts";

/** Templates by their last use, the latest first. */
export async function listTemplates(engine: Engine): Promise<readonly Stored[]> {
  const all = await listSaved(engine.layout.templates);
  return all.filter((each) => /^[0-9a-f]{64}$/.test(each.name));
}

/**
 * Removes the template whose key begins with `prefix` and returns its key; machines that were started from it
 * go on. `snapshot_not_found`, `invalid_argument` when several begin so.
 */
export async function removeTemplate(engine: Engine, prefix: string): Promise<string> {
  const matching = (await listTemplates(engine)).filter((each) => each.name.startsWith(prefix));
  const [only] = matching;
  if (only === undefined || prefix === "") {
    throw new MicroagentError("snapshot_not_found", `No template key begins with "${prefix}"`, {
      hint: "See what there is with: microagent template list",
    });
  }
  if (matching.length > 1) {
    throw new MicroagentError(
      "invalid_argument",
      `${matching.length} template keys begin with "${prefix}", wanted one`,
      { hint: "Give more of the key" },
    );
  }
  await removeSaved(join(engine.layout.templates, only.name));
  return only.name;
}

/** Removes the least recently used templates until the rest takes at most `bytesMax`, and returns them. */
export async function pruneTemplates(
  op: Op,
  engine: Engine,
  bytesMax: number = engine.templateBytesMax,
): Promise<readonly Stored[]> {
  return await evict(op, engine.layout.templates, bytesMax, null);
}
