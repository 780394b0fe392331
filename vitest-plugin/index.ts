/** The configuration half of the Vitest plugin; tests import `microagent-ci/vitest/test`. */
import { fileURLToPath } from "node:url";
import type { Plugin } from "vitest/config";
import { interruptGracefully } from "./interrupt.ts";
import { type MicrovmOptions, resolveOptions } from "./options.ts";
import { pluginState } from "./plugin-state.ts";
import "./provided.ts";

export type { MicrovmPoolOptions } from "./guest-pool/options.ts";
export { microvmPool } from "./guest-pool/pool.ts";
export type { Machine } from "./machine/machine.ts";
export type { FailureOptions, MicrovmOptions, TemplateOptions, Timeouts } from "./options.ts";

/** Vitest's own default; a machine may have to be waited for. */
const vitestTimeoutMs = 5_000;
const testTimeoutMs = 60_000;
/** What an interrupted run may take besides tearing machines down. */
const graceMs = 10_000;

/** Gives tests real machines. Put it into `plugins` of a Vitest configuration. */
export function microvm(options: MicrovmOptions = {}): Plugin {
  // Mistakes are told before anything runs.
  const { timeouts } = resolveOptions(options).settings;
  return {
    name: "microagent",
    configureVitest({ project, vitest }) {
      const state = pluginState();
      state.options.set(project.name, options);
      project.config.setupFiles.unshift(beside("setup-file", "mts"));
      const setups = project.config.globalSetup;
      project.config.globalSetup = [
        ...(typeof setups === "string" ? [setups] : setups),
        beside("global-setup", "js"),
      ];
      if (project.config.testTimeout === vitestTimeoutMs)
        project.config.testTimeout = testTimeoutMs;
      if (state.isReporting) return;
      state.isReporting = true;
      vitest.config.reporters.push({
        onTestRunStart(specifications: readonly { readonly moduleId: string }[]) {
          state.files = specifications.map((each) => each.moduleId);
        },
      } as never);
      // A test that was cancelled tears its machines down first.
      interruptGracefully(vitest, timeouts.teardown + graceMs);
    },
  };
}

function beside(name: string, built: "js" | "mts"): string {
  const ending = import.meta.url.endsWith(".ts") ? "ts" : built;
  return fileURLToPath(new URL(`./${name}.${ending}`, import.meta.url));
}
