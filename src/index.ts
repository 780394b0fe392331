/**
 * The public door of the engine. Surfaces (command line, Vitest plugin, GitHub Action) and programs
 * use what is exported here and nothing else.
 */
import type { Op } from "./base/op.ts";
import type { AuditRecord } from "./egress/audit-event.ts";
import { hostEnvironment } from "./host/environment.ts";
import type { MediationProtocol } from "./mediation/protocol.ts";
import type { LoadedSpec } from "./spec/load.ts";
import type { RunPlan } from "./spec/plan.ts";
import type { BootRequest } from "./workspace/boot.ts";

export type { ExecResult as GuestExecResult, Execution } from "./agent/exec.ts";
export type { RunResult } from "./agent/run.ts";
export type { TreeEntry } from "./agent/tree.ts";
export type { Disturbance, GuestWatch, WatchAnswer } from "./agent/watching.ts";
export {
  type Blame,
  type ErrorCode,
  type ErrorKind,
  exitCodeOf,
  isMicroagentError,
  MicroagentError,
} from "./base/errors.ts";
export { plainText, visibleText } from "./base/foreign-text.ts";
export { freshName, randomHex } from "./base/ids.ts";
export {
  type Op,
  type Progress,
  type ProgressListener,
  realClock,
  startOp,
  withOp,
} from "./base/op.ts";
export { bytesText, durationText } from "./base/quantity.ts";
export type { Check, Remedy, Tier, Verdict } from "./doctor/check.ts";
export { diagnosisJson } from "./doctor/diagnosis-json.ts";
export type { Diagnosis } from "./doctor/doctor.ts";
export type { AuditRecord } from "./egress/audit-event.ts";
export { type HostRule, parseHostRule } from "./egress/host-rule.ts";
export { hostEnvironment } from "./host/environment.ts";
export { type StateLayout, stateLayout } from "./host/state-layout.ts";
export { type BaseImage, ensureBaseImage } from "./image/base-image.ts";
export { type ImageListing, listImages, removeImages, tagImage } from "./image/catalogue.ts";
export { type PruneReport, pruneImages } from "./image/prune.ts";
export { resolveImage } from "./image/resolve.ts";
export type { RootfsReport } from "./image/rootfs.ts";
export { type ImageStore, openStore } from "./image/store.ts";
export type { StoredImage } from "./image/stored-image.ts";
export { type VerifiedImages, verifyImages } from "./image/verify.ts";
export { type Kernels, openKernels } from "./kernel/kernels.ts";
export type {
  ConstraintAck,
  Constraints,
  IdentityRevision,
  LifecycleSignal,
  Principal,
  WorkBounds,
  WorkRequest,
  WorkResult,
} from "./mediation/messages.ts";
export { createEngine } from "./registry.ts";
export type { MergedReport } from "./report/report.ts";
export { planRun, type RunPlanOptions, runPlan } from "./runs.ts";
export type { SecretCheck } from "./secret/check.ts";
export { secretCheckJson } from "./secret/check-json.ts";
export type { Flags } from "./spec/flags.ts";
export type { LoadedSpec } from "./spec/load.ts";
export type { RunPlan, Surface } from "./spec/plan.ts";
export { type Problem, problemsOf } from "./spec/problem.ts";
export { profiles } from "./spec/profiles.ts";
export { renderPlan } from "./spec/render-plan.ts";
export { packageVersion } from "./version.ts";
export {
  type Admission,
  type AdmissionRequest,
  admit,
  admitSpare,
  type Budget,
  isRoomWanted,
  type SpareAdmission,
} from "./workspace/admission.ts";
export { type AllowSuggestion, suggestAllow } from "./workspace/allow-suggestion.ts";
export type { AuditReceipt } from "./workspace/audit-receipt.ts";
export type { BootRequest } from "./workspace/boot.ts";
export { boot } from "./workspace/boot.ts";
export type { BootReport } from "./workspace/boot-report.ts";
export { type DirectoryIn, type DirectoryOut, droppedDirectory } from "./workspace/directories.ts";
export {
  type DispatchHooks,
  type DispatchRequest,
  type DispatchResult,
  dispatch,
  type Interruption,
} from "./workspace/dispatch.ts";
export type { Engine } from "./workspace/engine.ts";
export { collectGarbage } from "./workspace/garbage.ts";
export { type GuestCommand, guestCommand } from "./workspace/guest-command.ts";
export {
  type CopiedOut,
  copyIntoGuest,
  copyOutOfGuest,
  type GuestFileOptions,
  makeGuestDirectory,
  readGuestFile,
  writeGuestFile,
} from "./workspace/guest-files.ts";
export { globGuest } from "./workspace/guest-glob.ts";
export { openGuestPort } from "./workspace/guest-port.ts";
export type { AttachedWorkspace } from "./workspace/held/attach.ts";
export {
  attachWorkspace,
  cloneWorkspace,
  createWorkspace,
  deleteWorkspace,
  deleteWorkspaceSnapshot,
  eventsOf,
  followConsole,
  followEvents,
  forkLiveWorkspace,
  haltWorkspace,
  imagesInUse,
  inspectWorkspace,
  keepAsWorkspace,
  killWorkspace,
  listWorkspaceSnapshots,
  readConsole,
  resultOf,
  startFromSnapshot,
  startSaved,
  startWorkspace,
  waitWorkspace,
  withGuestOf,
  workspaceStats,
} from "./workspace/held/door.ts";
export type { LifecycleEvent } from "./workspace/held/events.ts";
export type { HostFileSource, HostSources } from "./workspace/host-sources.ts";
export { listWorkspaces } from "./workspace/listing.ts";
export type { NetworkRecord } from "./workspace/network-record.ts";
export type { NetworkReport } from "./workspace/network-report.ts";
export type { Artifact, CollectedOutputs, Omission } from "./workspace/outputs.ts";
export { powerOnAgain } from "./workspace/power-again.ts";
export { type PublishedPorts, publishPorts } from "./workspace/published-ports.ts";
export type { ReachableGuest } from "./workspace/reachable-guest.ts";
export { manifestJson, resultJson } from "./workspace/result-json.ts";
export {
  buildPlanTemplate,
  cloneTemplate,
  deleteSnapshot,
  ensureTemplate,
  forkWorkspace,
  listSnapshots,
  listTemplates,
  openTemplate,
  pruneTemplates,
  removeTemplate,
  snapshotWorkspace,
  startSnapshot,
} from "./workspace/templates/door.ts";
export type { EnsureOptions } from "./workspace/templates/ensure.ts";
export { passingTag } from "./workspace/templates/passing.ts";
export { openTemplatePool } from "./workspace/templates/pool.ts";
export type { Snapshot, SnapshotStart } from "./workspace/templates/snapshots.ts";
export type { Stored } from "./workspace/templates/store.ts";
export type {
  CloneRequest,
  PoolOptions,
  PrepareStep,
  ReadyCommand,
  RunTemplate,
  TakenClone,
  Template,
  TemplatePool,
  TemplateRequest,
  TemplateUse,
} from "./workspace/templates/template.ts";
export { exitCodeFor, type Termination } from "./workspace/termination.ts";
export type { Workspace } from "./workspace/workspace.ts";
export type { WorkspaceListing } from "./workspace/workspace-listing.ts";

/*
 * Parts of the engine that most runs do without: each is loaded by the first call of it, because reading
 * its modules would take a noticeable part of a warm start.
 */

/** Reads and checks a spec file. Fails with `spec_not_found` or `spec_invalid`. */
export async function loadSpec(op: Op, path: string): Promise<LoadedSpec> {
  const spec = await import("./spec/load.ts");
  return await spec.loadSpec(op, path);
}

/** Checks everything a boot needs on this host. */
export const diagnose: typeof import("./doctor/doctor.ts").diagnose = async (...args) => {
  const doctor = await import("./doctor/doctor.ts");
  return await doctor.diagnose(...args);
};

/** Mends what a diagnosis found, and diagnoses again. */
export const mend: typeof import("./doctor/mend.ts").mend = async (...args) => {
  const doctor = await import("./doctor/mend.ts");
  return await doctor.mend(...args);
};

/** Resolves `NAME=reference` texts and tells of each whether it gives a value, never the value. */
export const checkSecrets: typeof import("./secret/check.ts").checkSecrets = async (...args) => {
  const secrets = await import("./secret/check.ts");
  return await secrets.checkSecrets(...args);
};

/** Which host variables and files a plan gives to its guest or to servers. */
export const hostSourcesOf: typeof import("./workspace/host-sources.ts").hostSourcesOf = async (
  ...args
) => {
  const sources = await import("./workspace/host-sources.ts");
  return await sources.hostSourcesOf(...args);
};

/** Which secrets a running or kept workspace read, as `--secrets-audit` recorded it. */
export const secretAuditOf: typeof import("./workspace/secret-audit.ts").secretAuditOf = async (
  ...args
) => {
  const audit = await import("./workspace/secret-audit.ts");
  return await audit.secretAuditOf(...args);
};

/** The messages of work over a mediation channel, as zod schemas, and their framing. */
export async function loadMediationProtocol(): Promise<MediationProtocol> {
  const { mediationProtocol } = await import("./mediation/protocol.ts");
  return mediationProtocol;
}

/** What a running or kept workspace did on the network so far. */
export const egressOf: typeof import("./workspace/egress-log.ts").egressOf = async (...args) => {
  const log = await import("./workspace/egress-log.ts");
  return await log.egressOf(...args);
};

/** The decisions of a workspace as they are made, until it has ended. */
export async function followEgress(
  ...args: Parameters<typeof import("./workspace/egress-log.ts").followEgress>
): Promise<AsyncGenerator<AuditRecord>> {
  const log = await import("./workspace/egress-log.ts");
  return log.followEgress(...args);
}

/** The network of a running or kept workspace. */
export const networkOf: typeof import("./workspace/network-record.ts").networkOf = async (
  ...args
) => {
  const record = await import("./workspace/network-record.ts");
  return await record.networkOf(...args);
};

/** Builds a root file system from an image. */
export const buildRootfs: typeof import("./image/rootfs.ts").buildRootfs = async (...args) => {
  const rootfs = await import("./image/rootfs.ts");
  return await rootfs.buildRootfs(...args);
};

/** A self-contained page about a run, from its output directory. */
export const renderReportPage: typeof import("./report/report.ts").renderReportPage = async (
  ...args
) => {
  const report = await import("./report/report.ts");
  return await report.renderReportPage(...args);
};

/** One summary and one JUnit document of several runs. */
export const mergeReports: typeof import("./report/report.ts").mergeReports = async (...args) => {
  const report = await import("./report/report.ts");
  return await report.mergeReports(...args);
};

/** Writes a report in one step. */
export const writeReport: typeof import("./report/report.ts").writeReport = async (...args) => {
  const report = await import("./report/report.ts");
  await report.writeReport(...args);
};

/** Architecture of this host in kernel spelling; `host_unsupported` where none of ours fits. */
export function hostArchitecture(): "x86_64" | "aarch64" {
  return hostEnvironment.arch;
}

/**
 * The machine that a plan asks for, to be booted or made a template of. Its files, outputs and command are not
 * part of it.
 */
export async function bootRequestOf(plan: RunPlan): Promise<BootRequest> {
  const { requestOf } = await import("./workspace/run-plan.ts");
  return requestOf(plan, { setup: [], files: [] }).boot;
}
