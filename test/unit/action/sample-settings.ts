import { inputDeclarations } from "../../../action/inputs.ts";
import { readSettings, type StepSettings } from "../../../action/settings.ts";

/** What the step reads when these inputs are given and all others have their defaults. */
export function settingsOf(given: Readonly<Record<string, string>> = {}): StepSettings {
  return readSettings((name) => {
    const declared = inputDeclarations.find((each) => each.name === name);
    return given[name] ?? declared?.default ?? "";
  });
}
