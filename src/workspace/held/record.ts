import { createHash } from "node:crypto";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf, MicroagentError } from "../../base/errors.ts";
import { randomHex, safeNamePattern } from "../../base/ids.ts";
import { fileError } from "../../host/file-error.ts";
import { writeFileAtomic } from "../../host/files.ts";
import type { StateLayout } from "../../host/state-layout.ts";
import type { CapturedInputs } from "../../spec/capture-files.ts";
import type { RunPlan } from "../../spec/plan.ts";
import type { DiskAttachment } from "../../supervisor/port.ts";
import { keptPathOf } from "../workspace-dir.ts";

/** What a workspace is, whether it runs or not: everything that a start needs but the values of secrets. */
export interface WorkspaceRecord {
  readonly format: 1;
  readonly name: string;
  readonly createdAt: string;
  /** Without its source: nothing is complained about any more. */
  readonly plan: RunPlan;
  /** Contents of setup files among them, as they were when the workspace was made. */
  readonly setup: readonly string[];
  /** Files to be put into the guest; each is kept in `capturedDir` under its index. */
  readonly files: readonly CapturedPlace[];
  /** The image the disk was begun on: its upper fits no other one. Null before the first start. */
  readonly imageDigest: string | null;
  /** Setup has run on the disk that there is. */
  readonly isSetUp: boolean;
  /** Below the workspace's directory: what belongs to its machine. */
  readonly machineDir: string;
  readonly durability: DiskAttachment["durability"];
  /** It is powered off when nobody has used it for so long; 0, or not given: never. */
  readonly ttlSeconds?: number | undefined;
}

export interface CapturedPlace {
  readonly guestPath: string;
  readonly mode: number;
}

/** A name for the directory of another machine of a workspace. */
export function freshMachineDir(): string {
  return `machine-${randomHex(4)}`;
}

export const recordFile = "workspace.json";
/** Holds the captured files. */
export const capturedDir = "captured";
const formatNow = 1;

/** The directory of a workspace that outlives its runs. */
export function homeOf(layout: StateLayout, name: string): string {
  if (safeNamePattern.test(name)) return keptPathOf(layout, name);
  throw new MicroagentError("invalid_argument", `Workspace name "${name}" is not safe`, {
    hint: "Use letters, digits, dots, dashes and underscores",
  });
}

export function machinePath(layout: StateLayout, record: WorkspaceRecord): string {
  return join(homeOf(layout, record.name), record.machineDir);
}

/** Null where there is no workspace of this kind. `store_corrupt` when its record is damaged. */
export async function readRecord(
  layout: StateLayout,
  name: string,
): Promise<WorkspaceRecord | null> {
  const path = join(homeOf(layout, name), recordFile);
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === "ENOENT" || errno === "ENOTDIR") return null;
    throw fileError(error, `File "${path}" cannot be read`);
  }
  const record = parseRecord(text);
  if (record !== null && record.name === name) return record;
  throw new MicroagentError("store_corrupt", `File "${path}" is no whole record of a workspace`, {
    hint: `Remove the workspace with: microagent delete ${name} --force`,
  });
}

/** As `readRecord`; `workspace_not_found` where there is none. */
export async function requireRecord(layout: StateLayout, name: string): Promise<WorkspaceRecord> {
  const record = await readRecord(layout, name);
  if (record !== null) return record;
  throw new MicroagentError("workspace_not_found", `Workspace "${name}" does not exist`, {
    hint: "See what there is with: microagent ps (microagent create makes one)",
    details: { name },
  });
}

export async function writeRecord(layout: StateLayout, record: WorkspaceRecord): Promise<void> {
  const text = JSON.stringify(record);
  const document = `${JSON.stringify({ sha256: sha256(text), record }, null, 2)}\n`;
  await writeFileAtomic(join(homeOf(layout, record.name), recordFile), document);
}

/** A damaged record is told by its digest; what is whole was written by us. */
export function parseRecord(text: string): WorkspaceRecord | null {
  try {
    const { sha256: digest, record } = JSON.parse(text) as Record<string, unknown>;
    if (typeof record !== "object" || record === null) return null;
    if (digest !== sha256(JSON.stringify(record))) return null;
    const { format } = record as { format?: unknown };
    return format === formatNow ? (record as WorkspaceRecord) : null;
  } catch {
    return null;
  }
}

/** Keeps what was captured from host files beside the record. */
export async function keepCaptured(
  layout: StateLayout,
  name: string,
  captured: CapturedInputs,
): Promise<readonly CapturedPlace[]> {
  const dir = join(homeOf(layout, name), capturedDir);
  if (captured.files.length > 0) await mkdir(dir, { mode: 0o700 });
  for (const [index, file] of captured.files.entries()) {
    await writeFileAtomic(join(dir, `${index}`), file.bytes);
  }
  return captured.files.map(({ guestPath, mode }) => ({ guestPath, mode }));
}

/** What `keepCaptured` kept. */
export async function readCaptured(
  layout: StateLayout,
  record: WorkspaceRecord,
): Promise<CapturedInputs> {
  const dir = join(homeOf(layout, record.name), capturedDir);
  const files: CapturedInputs["files"][number][] = [];
  for (const [index, { guestPath, mode }] of record.files.entries()) {
    const path = join(dir, `${index}`);
    const bytes = await readFile(path).catch((error: unknown) => {
      throw fileError(error, `File "${path}" cannot be read`);
    });
    const digest = createHash("sha256").update(bytes).digest("hex");
    files.push({ guestPath, mode, bytes, sha256: digest });
  }
  return { setup: record.setup, files };
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
