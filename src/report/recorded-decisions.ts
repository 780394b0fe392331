import { dirname, join } from "node:path";
import type { Op } from "../base/op.ts";
import { type AuditReading, readAuditLog } from "../egress/audit-log.ts";
import { isThere } from "../host/is-there.ts";

/** The egress decisions beside a run's record; null when there is no such file. */
export async function readDecisions(op: Op, path: string): Promise<AuditReading | null> {
  op.check();
  const file = join(path.endsWith(".json") ? dirname(path) : path, "egress.jsonl");
  if (!(await isThere(file))) return null;
  return await op.race(readAuditLog(file));
}
