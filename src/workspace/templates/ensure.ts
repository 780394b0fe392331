import { join } from "node:path";
import { CleanupStack } from "../../base/cleanup.ts";
import { MicroagentError } from "../../base/errors.ts";
import type { Op } from "../../base/op.ts";
import { withLock } from "../../host/lock.ts";
import type { Snapshots } from "../../supervisor/port.ts";
import type { Engine } from "../engine.ts";
import { type Prepared, prepare } from "../prepare.ts";
import { buildTemplate } from "./build.ts";
import { templateKey } from "./key.ts";
import { rememberBehind } from "./prepared-template.ts";
import { diskBytes, evict, type Found, findSaved, removeSaved, touchSaved } from "./store.ts";
import type { Template, TemplateRequest, TemplateUse } from "./template.ts";

export interface EnsureOptions {
  /** A template that turned out to be useless: it is replaced unless somebody did so meanwhile. */
  readonly instead?: { readonly id: string; readonly reason: string } | undefined;
}

/**
 * The template of a request. When there is none, or none that can be used, it is built, by one process at a
 * time. Fails as a boot does, with `setup_failed`, `no_space`, and `host_unsupported` where machines
 * cannot be saved.
 */
export async function ensureTemplate(
  op: Op,
  engine: Engine,
  request: TemplateRequest,
  options: EnsureOptions = {},
): Promise<Template> {
  await using undo = new CleanupStack();
  const prepared = await prepare(op, engine, request.boot, undo);
  const snapshots = requireSnapshots(prepared);
  const key = await templateKey(op, request, prepared, snapshots);
  const { templates, locks } = engine.layout;
  const usable = async (step: Op): Promise<Found> => {
    const found = await findSaved(step, templates, key);
    if (found.kind !== "whole" || found.manifest.id !== options.instead?.id) return found;
    return { kind: "broken", reason: options.instead.reason };
  };

  const found = await usable(op);
  if (found.kind === "whole") {
    return await templateFrom(op, request, prepared, found, { how: "hit", reason: foundReason });
  }
  return await withLock(
    op,
    join(locks, `template-${key.slice(0, 32)}`),
    async (locked) => {
      const meanwhile = await usable(locked);
      if (meanwhile.kind === "whole") {
        const use = { how: "hit", reason: "Another process built it meanwhile" } as const;
        return await templateFrom(locked, request, prepared, meanwhile, use);
      }
      if (meanwhile.kind === "broken") await removeSaved(join(templates, key));
      await locked.step("template", (step) => buildTemplate(step, engine, request, key));
      await evict(locked, templates, engine.templateBytesMax, key);
      const built = await findSaved(locked, templates, key);
      if (built.kind !== "whole") {
        throw new MicroagentError(
          "store_corrupt",
          `Template "${key}" is not there after its build`,
        );
      }
      const use: Omit<TemplateUse, "key"> =
        meanwhile.kind === "broken"
          ? { how: "rebuilt", reason: `The one that was there cannot be used: ${meanwhile.reason}` }
          : { how: "built", reason: "There was none for this request" };
      return await templateFrom(locked, request, prepared, built, use);
    },
    { waitNote: "Waiting for another run that builds the same template" },
  );
}

const foundReason = "It was built before and nothing it is made from has changed";

/** The template of a saved machine that was found. */
export async function templateFrom(
  op: Op,
  request: TemplateRequest,
  prepared: Prepared,
  found: Extract<Found, { kind: "whole" }>,
  use: Omit<TemplateUse, "key">,
): Promise<Template> {
  await touchSaved(found.path, op.clock.now());
  const { manifest, path } = found;
  const template: Template = {
    key: manifest.key,
    built: use.how !== "hit",
    reason: use.reason,
    path,
    sizeBytes: await diskBytes(path),
    createdAt: new Date(manifest.createdAt),
    request,
  };
  const source = { path, manifest, use: { key: manifest.key, ...use } };
  return rememberBehind(template, { prepared, source });
}

function requireSnapshots(prepared: Prepared): Snapshots {
  const { snapshots, supervisor } = prepared.choice;
  if (snapshots !== null) return snapshots;
  throw new MicroagentError(
    "host_unsupported",
    `Machines of backend "${supervisor.name}" cannot be saved on this host, so there are no templates`,
  );
}
