import { MicroagentError } from "../../base/errors.ts";
import type { Prepared } from "../prepare.ts";
import type { SavedSource } from "./clone-saved.ts";
import type { Template } from "./template.ts";

interface Behind {
  readonly prepared: Prepared;
  readonly source: SavedSource;
}

/*
 * What a clone is started from is found once per template and process: resolving it for each clone would
 * cost as much as starting one.
 */
const behind = new WeakMap<Template, Behind>();

export function rememberBehind(template: Template, what: Behind): Template {
  behind.set(template, what);
  return template;
}

export function preparedOf(template: Template): Prepared {
  return known(template).prepared;
}

export function sourceOf(template: Template): SavedSource {
  return known(template).source;
}

function known(template: Template): Behind {
  const what = behind.get(template);
  if (what !== undefined) return what;
  throw new MicroagentError(
    "invalid_argument",
    `Template "${template.key}" did not come from ensureTemplate in this process`,
  );
}
