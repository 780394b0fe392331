import type { Diagnosis } from "./doctor.ts";

/** The stable JSON form of a diagnosis: the v0.8 keys, plus every check. */
export function diagnosisJson(diagnosis: Diagnosis): Record<string, unknown> {
  const host = diagnosis.supervisor?.host ?? null;
  const kernel = diagnosis.kernel;
  return {
    ok: diagnosis.verdict !== "failed",
    verdict: diagnosis.verdict,
    backend: diagnosis.supervisor?.supervisor.name ?? null,
    host:
      host === null
        ? null
        : {
            binaryPath: host.vmmPath,
            binaryVersion: host.vmmVersion,
            architecture: host.arch,
            acceleration: host.accel,
            accelerationReason: host.accelReason,
            cpuCount: host.cpuCount,
          },
    kernel:
      kernel === null
        ? null
        : {
            name: kernel.name,
            version: kernel.image.version,
            architecture: kernel.image.arch,
            sha256: kernel.image.sha256,
            status: "installed",
          },
    checks: diagnosis.checks.map((check) => ({
      id: check.id,
      tier: check.tier,
      verdict: check.verdict,
      found: check.found,
      remedy: check.remedy?.command ?? null,
    })),
  };
}
