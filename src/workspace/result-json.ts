import { errorJson } from "../base/error-json.ts";
import type { DispatchResult } from "./dispatch.ts";
import type { SecretsReport } from "./secret-delivery.ts";
import { exitCodeFor, type Termination } from "./termination.ts";

/**
 * The stable JSON form of a run: the v0.8 keys (`workspace`, `final_state`, `result`, ...) plus
 * what this implementation knows besides. Absent facts are null or left out, never made up.
 */
export function resultJson(result: DispatchResult): Record<string, unknown> {
  const end = result.termination;
  const boot = result.boot;
  return {
    workspace: result.workspace,
    final_state: finalState(result),
    exit_code: exitCodeFor(end),
    termination: terminationJson(end),
    result:
      result.startedAt === null
        ? null
        : {
            started_at: result.startedAt.toISOString(),
            exited_at: result.exitedAt?.toISOString() ?? null,
            exit_code: end.kind === "exited" ? end.exitCode : null,
            stdout: result.stdout.text(),
            stderr: result.stderr.text(),
            stdout_truncated: result.stdout.truncated,
            stderr_truncated: result.stderr.truncated,
            ...(end.kind === "not_started" ? { start_error: end.error.message } : {}),
          },
    image:
      boot === null
        ? null
        : {
            reference: boot.image.reference,
            resolved_ref: boot.image.resolvedRef,
            digest: boot.image.digest,
            architecture: boot.image.arch,
          },
    kernel:
      boot === null
        ? null
        : {
            name: boot.kernel.name,
            version: boot.kernel.image.version,
            flavor: boot.kernel.image.flavor,
            sha256: boot.kernel.image.sha256,
          },
    backend: boot?.supervisor ?? null,
    acceleration: boot === null ? null : { accel: boot.host.accel, reason: boot.host.accelReason },
    boot: boot === null ? null : { attempts: boot.attempts, retry_reason: boot.retryReason },
    template: result.template,
    timings_ms: result.timingsMs,
    timeline: result.timeline.map(({ step, startMs, ms, failed }) => ({
      step,
      start_ms: startMs,
      ms,
      failed,
    })),
    network: result.network,
    audit: result.audit,
    ...(result.secrets === null ? {} : { secrets: secretsJson(result.secrets) }),
    ...mediationJson(result),
    output_dir: result.outputDir,
    artifacts: result.outputs.artifacts.map((artifact) => ({
      name: artifact.output,
      guest_path: artifact.guestPath,
      path: artifact.path,
      size: artifact.sizeBytes,
      sha256: artifact.sha256,
      mode: octal(artifact.mode),
    })),
    artifacts_omitted: result.outputs.omissions.map((omission) => ({
      name: omission.output,
      guest_path: omission.guestPath,
      type: omission.type,
      reason: omission.reason,
    })),
    artifacts_omitted_count: result.outputs.omissionCount,
    artifacts_missing: result.outputs.missing,
    artifacts_incomplete: result.outputs.incomplete.map((entry) => ({
      name: entry.output,
      error: errorJson(entry.error),
    })),
    kept_at: result.keptAt,
    error: "error" in end ? errorJson(end.error) : null,
  };
}

/** `manifest.json`: what came out, file by file. */
export function manifestJson(result: DispatchResult): Record<string, unknown> {
  const full = resultJson(result);
  return {
    workspace: full.workspace,
    outputs: result.outputs.written,
    artifacts: full.artifacts,
    omitted: full.artifacts_omitted,
    omitted_count: full.artifacts_omitted_count,
    missing: full.artifacts_missing,
    incomplete: full.artifacts_incomplete,
  };
}

function secretsJson({ materialized, onDemand, accesses }: SecretsReport): unknown {
  return { materialized, on_demand: onDemand, accesses };
}

/** The channel and its last observation; a required one without a target has ended the boot before there was a report. */
function mediationJson({ mediation, termination }: DispatchResult): Record<string, unknown> {
  if (mediation !== null) {
    const { declared, readiness } = mediation;
    const { ready = false, observedAt, error = null } = readiness ?? {};
    return {
      mediation: declared,
      mediationReady: {
        ready,
        observedAt: observedAt?.toISOString() ?? null,
        ...(error === null ? {} : { error }),
      },
    };
  }
  if (!("error" in termination) || termination.error.code !== "mediation_unavailable") return {};
  const { observedAt = null, reason = null } = termination.error.details;
  return { mediationReady: { ready: false, observedAt, error: reason } };
}

function finalState(result: DispatchResult): string {
  if (result.boot === null) return "failed";
  return result.termination.kind === "failed" ? "failed" : "stopped";
}

function terminationJson(end: Termination): Record<string, unknown> {
  switch (end.kind) {
    case "exited":
      return {
        kind: end.kind,
        exit_code: end.exitCode,
        ...(end.oomKilled === true ? { oom_killed: true } : {}),
      };
    case "signaled":
      return { kind: end.kind, signal: end.signal, oom_killed: end.oomKilled };
    case "timed_out":
      return { kind: end.kind, timeout_ms: end.timeoutMs };
    case "interrupted":
      return { kind: end.kind, signal: end.signal };
    case "not_started":
    case "setup_failed":
    case "failed":
      return { kind: end.kind, code: end.error.code };
  }
}

function octal(mode: number): string {
  return (mode & 0o7777).toString(8).padStart(4, "0");
}
