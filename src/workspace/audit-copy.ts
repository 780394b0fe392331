import { copyFile, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf } from "../base/errors.ts";
import { fileError } from "../host/file-error.ts";
import { makeDirs } from "../host/make-dirs.ts";
import { auditFileName } from "./audit-receipt.ts";
import { secretAuditFile } from "./secret-audit-file.ts";

/**
 * Puts a workspace's audit, the files put aside with it and the record of its secrets into an output directory in place of what an
 * earlier run left there. A guest that asked for nothing leaves none. Fails as files fail.
 */
export async function copyAudit(directory: string, outputDir: string): Promise<void> {
  try {
    await removeAudit(outputDir);
    const names = await auditFiles(directory);
    if (names.length > 0) await makeDirs(outputDir);
    for (const name of names) {
      await copyFile(join(directory, name), join(outputDir, name));
    }
  } catch (error) {
    throw fileError(error, `The audit cannot be written to "${outputDir}"`);
  }
}

/** Takes away what an earlier run left: a run that had no guest has no audit either. */
export async function removeAudit(outputDir: string): Promise<void> {
  for (const name of await auditFiles(outputDir)) await rm(join(outputDir, name));
}

async function auditFiles(dir: string): Promise<string[]> {
  const names = await readdir(dir).catch((error: unknown) => {
    // Nobody made it, or something else is in its place: then nothing of ours is there.
    if (errnoOf(error) === "ENOENT" || errnoOf(error) === "ENOTDIR") return [];
    throw error;
  });
  return names.filter(
    (name) =>
      name === auditFileName ||
      name === secretAuditFile ||
      (/^\.[1-9]\d{0,3}$/.test(name.slice(auditFileName.length)) && name.startsWith(auditFileName)),
  );
}
