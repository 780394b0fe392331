import type { DispatchResult } from "../../index.ts";

/** Enough of a key to name one, as `template rm` takes it. */
const keyShown = 12;

/** What a template had to do with a run; null where nobody would ask. */
export function templateLine(
  result: Pick<DispatchResult, "template" | "secrets" | "timingsMs">,
): string | null {
  const { template, secrets, timingsMs } = result;
  if (template === null) return null;
  const key = template.key?.slice(0, keyShown);
  switch (template.how) {
    case "hit":
      return `template: started after setup from ${key}`;
    case "built":
      return `template: built ${key}, a run of the unchanged file starts after setup`;
    case "rebuilt":
      return `template: built ${key} anew (${template.reason})`;
    case "skipped":
      // That there is no setup, or that none was wanted, is known to whoever wrote it so.
      return key !== undefined || (secrets !== null && timingsMs.setup !== undefined)
        ? `template: none (${template.reason})`
        : null;
  }
}
