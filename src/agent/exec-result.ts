import { z } from "zod";
import type { ExecResult } from "./exec.ts";

const nanoseconds = z.string().regex(/^\d{1,19}$/);
const resultSchema = z.object({
  status: z.enum(["exited", "signaled", "timed_out"]),
  exit_code: z.number().int().min(0).max(255).nullish(),
  signal: z
    .string()
    .regex(/^SIG[A-Z0-9+-]{1,20}$/)
    .nullish(),
  started_at_unix_ns: nanoseconds,
  ended_at_unix_ns: nanoseconds,
  oom_killed: z.boolean().default(false),
  drained: z.boolean().default(true),
});

/** Reads an exec result as it is on the wire; null when it is not one or contradicts itself. */
export function parseExecResult(value: unknown): ExecResult | null {
  const parsed = resultSchema.safeParse(value);
  if (!parsed.success) return null;
  const wire = parsed.data;
  const signal = wire.signal ?? null;
  // Exactly one of the two says how the process ended.
  const exitCode = signal === null ? (wire.exit_code ?? null) : null;
  if (exitCode === null && signal === null) return null;
  if (wire.status === "exited" && exitCode === null) return null;
  if (wire.status === "signaled" && signal === null) return null;
  return {
    status: wire.status,
    exitCode,
    signal,
    startedAt: dateOf(wire.started_at_unix_ns),
    endedAt: dateOf(wire.ended_at_unix_ns),
    oomKilled: wire.oom_killed,
    drained: wire.drained,
  };
}

/** The result as it goes over the wire. */
export function encodeExecResult(result: ExecResult): Record<string, unknown> {
  return {
    status: result.status,
    ...(result.exitCode === null ? {} : { exit_code: result.exitCode }),
    ...(result.signal === null ? {} : { signal: result.signal }),
    started_at_unix_ns: nanosecondsOf(result.startedAt),
    ended_at_unix_ns: nanosecondsOf(result.endedAt),
    oom_killed: result.oomKilled,
    drained: result.drained,
  };
}

function dateOf(unixNs: string): Date {
  return new Date(Number(BigInt(unixNs) / 1_000_000n));
}

function nanosecondsOf(date: Date): string {
  return (BigInt(date.getTime()) * 1_000_000n).toString();
}
