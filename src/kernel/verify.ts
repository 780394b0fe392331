import { basename } from "node:path";
import { errnoOf } from "../base/errors.ts";
import type { Op } from "../base/op.ts";
import type { StateLayout } from "../host/state-layout.ts";
import { sha256OfFile } from "./hash-file.ts";
import { promisedFiles } from "./record.ts";
import { type StoredKernel, storedKernels } from "./store.ts";

/** What `verify` found out about one kernel; it is sound when there is no problem. */
export interface VerifiedKernel {
  readonly name: string;
  readonly path: string;
  readonly files: number;
  /** One sentence each. */
  readonly problems: readonly string[];
}

/** Reads every file of every kernel in the store and compares it with its record. */
export async function verifyKernels(op: Op, layout: StateLayout): Promise<VerifiedKernel[]> {
  const verified: VerifiedKernel[] = [];
  for (const kernel of await storedKernels(op, layout)) {
    verified.push(await op.step(`verify ${kernel.name}`, (step) => verifyOne(step, kernel)));
  }
  return verified;
}

async function verifyOne(op: Op, kernel: StoredKernel): Promise<VerifiedKernel> {
  const { name, directory: path } = kernel;
  if ("damage" in kernel) return { name, path, files: 0, problems: [kernel.damage.message] };
  const problems: string[] = [];
  if (kernel.record.name !== name) {
    problems.push(`The record is of kernel "${kernel.record.name}", found in directory "${name}"`);
  }
  const files = promisedFiles(path, kernel.record);
  for (const file of files) {
    const actual = await hashOrErrno(op, file.path);
    if (actual === file.sha256) continue;
    problems.push(
      actual.length === 64
        ? `File "${basename(file.path)}" has sha256 "${actual}", its record says "${file.sha256}"`
        : `File "${basename(file.path)}" cannot be read (${actual})`,
    );
  }
  return { name, path, files: files.length, problems };
}

async function hashOrErrno(op: Op, path: string): Promise<string> {
  try {
    return await sha256OfFile(op, path);
  } catch (error) {
    op.check();
    return errnoOf(error) ?? String(error);
  }
}
