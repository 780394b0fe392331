import type { Flags, LoadedSpec } from "../src/index.ts";
import type { StepSettings } from "./settings.ts";

/** Where the checkout is in the guest. */
export const guestWorkspace = "/workspace";

/** The declared output of the file for the step's output of this name. */
export const structuredOutputName = "structured-output";

/** The flags of `dispatch` that say what the settings say. */
export function flagsOf(
  settings: StepSettings,
  where: { readonly name: string; readonly outputDir: string },
  spec: LoadedSpec | null,
): Flags {
  return {
    name: where.name,
    outputDir: where.outputDir,
    image: settings.image ?? undefined,
    exec: settings.run === null ? undefined : scriptOf(settings.run, settings.workspace === "copy"),
    shell: settings.shell ?? undefined,
    profile: settings.profile ?? undefined,
    cpus: settings.cpus ?? undefined,
    memory: settings.memory ?? undefined,
    sizeMib: settings.disk ?? undefined,
    env: settings.env,
    output: [
      ...settings.artifacts,
      ...(settings.structuredOutput === null
        ? []
        : [`${structuredOutputName}=${settings.structuredOutput}`]),
    ],
    secret: settings.secrets,
    credSwap: settings.credSwap,
    egressSwapConfig: settings.egressSwapConfig ?? undefined,
    egressHost: settings.egressHosts,
    egressCa: settings.egressCa,
    egress: egressOf(settings, spec),
    egressAllow: settings.allow,
    timeoutSeconds: settings.timeoutSeconds,
    bootTimeoutSeconds: settings.bootTimeoutSeconds,
    pullTimeoutSeconds: settings.pullTimeoutSeconds,
    accel: settings.accel,
    // A runner's disk ends with the job: only a cache carries a saved machine to the next one.
    noTemplate: settings.templateCache ? undefined : true,
    requireOutputs: settings.ifNoArtifacts === "error" ? true : undefined,
  };
}

/**
 * In CI nothing is reachable that nobody listed, unless somebody said otherwise: the input, or the
 * Agentfile.
 */
export function egressOf(settings: StepSettings, spec: LoadedSpec | null): string | undefined {
  if (settings.egress !== null) return settings.egress;
  const said = spec?.spec.agent?.egress !== undefined;
  return settings.lockAllowlist && !said ? "strict" : undefined;
}

/** A script starts where the checkout is, as a step of a job does. */
function scriptOf(script: string, inWorkspace: boolean): string {
  return inWorkspace ? `cd ${guestWorkspace} || exit\n${script}` : script;
}
