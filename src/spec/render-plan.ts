import { placeText } from "./placed.ts";
import type { PlanCommand, RunPlan, SetupStep } from "./plan.ts";

/**
 * The plan as stable JSON for `--dry-run`: the spec's field names, every value resolved, with the
 * origin of each. Values of variables that came by flag are not shown, since they may be secret.
 */
export function renderPlan(plan: RunPlan): Readonly<Record<string, unknown>> {
  const { network, egress, resources } = plan;
  return {
    surface: plan.surface,
    specFile: plan.specFile,
    name: plan.name,
    image: plan.image,
    pull: plan.pull,
    insecureRegistries: plan.insecureRegistries,
    arch: plan.arch,
    kernel: plan.kernel,
    accel: plan.accel,
    profile: plan.profile,
    resources: {
      memoryMiB: resources.memoryMib,
      cpuCount: resources.cpus,
      sizeMiB: resources.sizeMib,
      sizePinned: resources.sizePinned,
      headroomMiB: resources.headroomMib,
    },
    restart: plan.restart,
    command: commandJson(plan.command),
    shell: plan.shell,
    hostname: plan.hostname,
    setup: plan.setup.map(setupJson),
    files: plan.files.map(({ src, dst, mode }) => ({
      src,
      dst,
      mode: mode === null ? null : mode.toString(8).padStart(4, "0"),
    })),
    env: envJson(plan),
    network,
    egress: {
      mode: egress.mode,
      allow: egress.allow,
      passthrough: egress.passthrough,
      policyFile: egress.policyFile,
      "cred-swap": egress.credSwap,
      swapConfigFile: egress.swapConfigFile,
      maxBytesPerSec: egress.caps.bytesPerSecond,
      maxTotalBytes: egress.caps.totalBytes,
      maxConns: egress.caps.connections,
      caFiles: egress.caFiles,
      standIns: egress.standIns,
      brokers: egress.brokers,
    },
    secrets: plan.secrets,
    mediation: plan.mediation,
    health: plan.health,
    disks: plan.disks,
    volumes: plan.volumes,
    outputs: plan.outputs,
    model: plan.model,
    modelRunner: plan.modelRunner,
    modelMediation: plan.modelMediation,
    acknowledgeCapabilityRisk: plan.acknowledgeCapabilityRisk,
    outputDir: plan.outputDir,
    requireOutputs: plan.requireOutputs,
    keep: plan.keep,
    use_templates: plan.useTemplates,
    timeoutSeconds: plan.timeoutSeconds,
    pullTimeoutSeconds: plan.pullTimeoutSeconds,
    bootTimeoutSeconds: plan.bootTimeoutSeconds,
    origin: Object.fromEntries(
      Object.entries(plan.provenance).sort(([a], [b]) => (a < b ? -1 : 1)),
    ),
    notes: plan.notes,
  };
}

function commandJson(command: PlanCommand): unknown {
  switch (command.kind) {
    case "shell":
      return { shell: command.text };
    case "argv":
      return { argv: command.argv };
    case "image":
      return { image: true };
  }
}

function setupJson(step: SetupStep): unknown {
  return step.kind === "run"
    ? { run: step.text }
    : { file: step.path, from: placeText(step.place) };
}

function envJson(plan: RunPlan): Record<string, unknown> {
  const names = Object.keys(plan.env).sort();
  return Object.fromEntries(
    names.map((name) => [
      name,
      plan.envByFlag.includes(name) ? { from: "flag" } : { from: "spec", value: plan.env[name] },
    ]),
  );
}
