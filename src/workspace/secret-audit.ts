import { type FileHandle, open, readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { errnoOf, MicroagentError } from "../base/errors.ts";
import { jsonOrNull } from "../base/json.ts";
import { limits } from "../base/limits.ts";
import { fileError } from "../host/file-error.ts";
import type { StateLayout } from "../host/state-layout.ts";
import { findWorkspace } from "./find-workspace.ts";
import { secretAuditFile } from "./secret-audit-file.ts";

/** One access to one secret, without its value. */
export interface SecretAccess {
  readonly at: Date;
  /** `materialize` wrote it to a file at boot, `on-demand` answered the guest. */
  readonly access: "materialize" | "on-demand";
  readonly name: string;
  /** `limited` stands for every request until the guest asked less often again. */
  readonly result: "ok" | "denied" | "error" | "limited";
}

/** Where accesses are written down: one line each, on disk before the value leaves. */
export interface SecretAudit {
  /** Fails with `no_space` and the like: then the secret must not be given. */
  record(access: SecretAccess): Promise<void>;
  close(): Promise<void>;
}

/** Opens the access log of a workspace's directory, mode 0600. */
export async function openSecretAudit(directory: string): Promise<SecretAudit> {
  const path = join(directory, secretAuditFile);
  let file: FileHandle;
  try {
    file = await open(path, "a", 0o600);
  } catch (error) {
    throw fileError(error, `Access log "${path}" cannot be opened`);
  }
  let written = 0;
  let before: Promise<void> = Promise.resolve();
  const append = async (access: SecretAccess) => {
    const { at, name, access: kind, result } = access;
    const line = `${JSON.stringify({ at: at.toISOString(), name, access: kind, result })}\n`;
    written += line.length;
    if (written > limits.secret.auditBytesMax) {
      throw new MicroagentError("no_space", `Access log "${path}" is full`, {
        hint: "The guest asked for secrets very often; look at it with: microagent secret audit",
      });
    }
    try {
      await file.appendFile(line);
    } catch (error) {
      throw fileError(error, `Access log "${path}" cannot be written`);
    }
  };
  return {
    record(access) {
      const turn = before.then(() => append(access));
      before = turn.catch(() => {});
      return turn;
    },
    async close() {
      await before;
      await file.close();
    },
  };
}

/** What an access log says, and whether all of it could be read. */
export interface SecretAuditReport {
  readonly accesses: readonly SecretAccess[];
  /** Null when every line could be read, else what was wrong from where on. */
  readonly problem: string | null;
}

const lineSchema = z.object({
  at: z.coerce.date(),
  name: z.string(),
  access: z.enum(["materialize", "on-demand"]),
  result: z.enum(["ok", "denied", "error", "limited"]),
});

/** Reads the access log of a workspace's directory; null when none was kept there. */
export async function readSecretAudit(directory: string): Promise<SecretAuditReport | null> {
  const path = join(directory, secretAuditFile);
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return null;
    throw fileError(error, `Access log "${path}" cannot be read`);
  }
  const lines = text.split("\n");
  const tail = lines.pop() ?? "";
  const accesses: SecretAccess[] = [];
  for (const [index, line] of lines.entries()) {
    const parsed = lineSchema.safeParse(jsonOrNull(line));
    if (!parsed.success) return { accesses, problem: `Line ${index + 1} cannot be read` };
    accesses.push(parsed.data);
  }
  return { accesses, problem: tail === "" ? null : "The last line is cut off" };
}

/**
 * The access log of a workspace, running or kept. `workspace_not_found`, also when the workspace kept no log: an empty answer
 * would say that nothing was read.
 */
export async function secretAuditOf(layout: StateLayout, name: string): Promise<SecretAuditReport> {
  const report = await readSecretAudit((await findWorkspace(layout, name)).path);
  if (report !== null) return report;
  throw new MicroagentError("workspace_not_found", `Workspace "${name}" kept no access log`, {
    hint: "Run it with --secrets-audit",
  });
}
