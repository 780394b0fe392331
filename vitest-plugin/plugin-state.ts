import type { MicrovmOptions } from "./options.ts";

/**
 * What the plugin, the reporter and the global setup share in the main process. They may be loaded as copies of their
 * own, so it hangs on the process.
 */
interface PluginState {
  /** Options by project. */
  readonly options: Map<string, MicrovmOptions>;
  /** Files of the run that is about to begin. Null: nothing is to be run, only listed. */
  files: readonly string[] | null;
  isReporting: boolean;
  /** Keys of templates that a machine was started from. */
  readonly tried: Set<string>;
}

const key = Symbol.for("microagent.vitest");

export function pluginState(): PluginState {
  const holder = globalThis as { [key]?: PluginState };
  holder[key] ??= { options: new Map(), files: null, isReporting: false, tried: new Set() };
  return holder[key];
}
