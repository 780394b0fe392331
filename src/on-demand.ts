import type { Op } from "./base/op.ts";
import type { LoadedSpec } from "./spec/load.ts";

/*
 * Parts of the engine that a plain run does without: each is loaded by the first call of it, because
 * reading their modules would take a fifth of a warm start.
 */

/** Reads and checks a spec file. Fails with `spec_not_found` or `spec_invalid`. */
export async function loadSpec(op: Op, path: string): Promise<LoadedSpec> {
  const module = await import("./spec/load.ts");
  return await module.loadSpec(op, path);
}

/** Checks what a boot needs on this host. See `Diagnosis`. */
export const diagnose: typeof import("./doctor/doctor.ts").diagnose = async (...args) => {
  const module = await import("./doctor/doctor.ts");
  return await module.diagnose(...args);
};

/** Runs the commands that mend what a diagnosis found. */
export const mend: typeof import("./doctor/mend.ts").mend = async (...args) => {
  const module = await import("./doctor/mend.ts");
  return await module.mend(...args);
};

/** Builds a root file system from an image. */
export const buildRootfs: typeof import("./image/rootfs.ts").buildRootfs = async (...args) => {
  const module = await import("./image/rootfs.ts");
  return await module.buildRootfs(...args);
};
