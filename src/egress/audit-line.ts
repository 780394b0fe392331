import { printable } from "../channel/printable.ts";
import type { AuditEvent, AuditIdentity, AuditRecord } from "./audit-event.ts";

/** One decision as a line. Texts are cut and cleaned: a guest must not write lines of its own, nor long ones. */
export function auditLine(
  event: AuditEvent,
  identity: AuditIdentity,
  nowMs: number,
  id: string,
): string {
  const record: AuditRecord = {
    event: event.event,
    ts: new Date(nowMs).toISOString(),
    host: printable(event.host, 253),
    dst: printable(event.dst, 64),
    reason: printable(event.reason, 400),
    runtime_id: identity.runtimeId,
    session_id: identity.sessionId,
    event_id: id,
    operation_id: printable(event.operation_id ?? "", 64),
    unlisted: event.unlisted ?? false,
    internal: event.internal ?? false,
    signal: event.signal,
    ...(event.allow_with === undefined ? {} : { allow_with: printable(event.allow_with, 320) }),
    ...numbersOf(event),
    ...usageOf(event),
  };
  return `${JSON.stringify(record)}\n`;
}

/** Says in the file itself that it is not whole. */
export function lossLine(lost: number, nowMs: number): string {
  return `${JSON.stringify({ lost, ts: new Date(nowMs).toISOString() })}\n`;
}

function numbersOf(event: AuditEvent): Partial<AuditEvent> {
  const { bytes_sent: sent, bytes_received: received, count } = event;
  return {
    ...(sent === undefined ? {} : { bytes_sent: sent }),
    ...(received === undefined ? {} : { bytes_received: received }),
    ...(count === undefined ? {} : { count }),
  };
}

function usageOf(event: AuditEvent): Partial<AuditEvent> {
  const { model, input_tokens, output_tokens } = event;
  return model === undefined ? {} : { model: printable(model, 100), input_tokens, output_tokens };
}
