import { asMicroagentError } from "../base/errors.ts";
import { AuditCounter, type AuditSummary, summarizeAudit } from "../egress/audit-summary.ts";
import { type AuditIntegrity, type AuditPosition, visitAuditLog } from "../egress/read-audit.ts";

/** Name of the audit in a workspace's directory and beside outputs. */
export const auditFileName = "egress.jsonl";

/** What left a guest and what was held back, and whether all of that is known. */
export interface AuditReceipt extends AuditSummary {
  readonly integrity: AuditIntegrity;
}

/** The receipt of a guest that had no way out. */
export const emptyReceipt: AuditReceipt = { ...summarizeAudit([]), integrity: "complete" };

/**
 * Sums up a log that its writer has closed at `upTo`. Never throws: what cannot be read, or is not there any more, is told
 * as a problem, never as an empty audit.
 */
export async function auditReceipt(path: string, upTo: AuditPosition): Promise<AuditReceipt> {
  try {
    const counter = new AuditCounter();
    const integrity = await visitAuditLog(path, upTo, (record) => counter.add(record));
    return { ...counter.summary, integrity };
  } catch (error) {
    const problem = `The audit cannot be read: ${asMicroagentError(error).message}`;
    return { ...emptyReceipt, integrity: { problem } };
  }
}
