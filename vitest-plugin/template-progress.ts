import { isMicroagentError } from "../src/index.ts";

/** Names of steps that a person waits for. */
const shownSteps: Readonly<Record<string, string>> = {
  image: "needs its image",
  boot: "boots",
  setup: "runs setup",
  prepare: "is prepared",
  save: "is saved",
};

/** Tells the steps of building a template as they begin, each once. */
export function templateSteps(say: (text: string) => void) {
  const shown = new Set<string>();
  return (event: { readonly kind: string; readonly path: string; readonly text?: string }) => {
    if (event.kind === "note" || event.kind === "warning") say(event.text ?? "");
    const step = event.path.split("/").at(-1) ?? "";
    const text = shownSteps[step];
    // Before it is known that there is none to be built, only looking is going on.
    if (event.kind !== "step-start" || text === undefined || shown.has(step)) return;
    if (!event.path.includes("/template/")) return;
    shown.add(step);
    say(text);
  };
}

/** Does the work; a failure is told with its hint and what setup printed. */
export async function withFailureTold<T>(
  say: (text: string) => void,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (isMicroagentError(error)) {
      const { output } = error.details;
      say(`failed: ${error.message}${error.hint === undefined ? "" : `\n  ${error.hint}`}`);
      if (typeof output === "string" && output !== "") say(`printed:\n${output}`);
    }
    throw error;
  }
}
