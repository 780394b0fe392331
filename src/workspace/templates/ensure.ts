import { MicroagentError } from "../../base/errors.ts";
import type { Op } from "../../base/op.ts";
import type { Engine } from "../engine.ts";
import type { Template, TemplateRequest } from "./template.ts";

/** The template of a request, built under a lock when there is none. */
export async function ensureTemplate(
  op: Op,
  _engine: Engine,
  _request: TemplateRequest,
): Promise<Template> {
  op.check();
  throw new MicroagentError("not_supported_yet", "Templates are not built yet");
}
