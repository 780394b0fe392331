import { MicroagentError } from "../../base/errors.ts";
import type { Engine } from "../engine.ts";
import type { PoolOptions, Template, TemplatePool } from "./template.ts";

/** Keeps clones of a template ahead of demand; dispose of it to end those that wait. */
export function openTemplatePool(
  _engine: Engine,
  _template: Template,
  _options: PoolOptions,
): TemplatePool {
  throw new MicroagentError("not_supported_yet", "Templates are not built yet");
}
