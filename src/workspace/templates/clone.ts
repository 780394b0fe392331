import { MicroagentError } from "../../base/errors.ts";
import type { Op } from "../../base/op.ts";
import type { Engine } from "../engine.ts";
import type { Workspace } from "../workspace.ts";
import type { CloneRequest, Template } from "./template.ts";

/** Starts a clone: a machine of its own, with the template's memory and disks to begin with. */
export async function cloneTemplate(
  op: Op,
  _engine: Engine,
  _template: Template,
  _request: CloneRequest,
): Promise<Workspace> {
  op.check();
  throw new MicroagentError("not_supported_yet", "Templates are not built yet");
}
