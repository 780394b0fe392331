import type { AuditEvent, AuditIdentity, AuditRecord } from "./audit-event.ts";

export interface AuditLogOptions {
  readonly identity: AuditIdentity;
  /** Size at which a file is put aside. */
  readonly maxBytes?: number;
  /** Files put aside that are kept. */
  readonly backups?: number;
}

/** An append-only file of decisions. Writing never waits and never throws: what is lost is counted and marked. */
export interface AuditLog {
  write(event: AuditEvent): void;
  /** Resolves when everything written so far is in the file, or lost. */
  flush(): Promise<void>;
  close(): Promise<void>;
  /** Lines lost so far. */
  readonly lost: number;
}

export type AuditIntegrity = "complete" | { readonly problem: string };

export interface AuditReading {
  readonly events: readonly AuditRecord[];
  readonly integrity: AuditIntegrity;
}
