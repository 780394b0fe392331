import { open } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { errnoOf, MicroagentError } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import type { Op } from "../base/op.ts";

/**
 * What a run left in its output directory, read back. The text in it comes from a guest: whoever
 * shows it has to escape it. Keys that this release does not know are dropped.
 */
export type RecordedRun = z.infer<typeof recordedRun>;

const name = z.string().max(4096);
/** A path of the guest below that of its output. */
const path = z.string().max(3 * 4096);
const text = z.string();
const count = z.number().nonnegative();
const recordedError = z.object({
  code: name,
  message: text,
  hint: text.nullish(),
});

const recordedRun = z.object({
  workspace: name,
  final_state: name,
  exit_code: z.int().min(0).max(255),
  termination: z.object({
    kind: name,
    exit_code: z.number().optional(),
    signal: name.nullish(),
    oom_killed: z.boolean().optional(),
    timeout_ms: count.optional(),
    code: name.optional(),
  }),
  result: z
    .object({
      started_at: name,
      exited_at: name.nullable(),
      exit_code: z.number().nullable(),
      stdout: text,
      stderr: text,
      stdout_truncated: z.boolean(),
      stderr_truncated: z.boolean(),
    })
    .nullable(),
  image: z.object({ reference: name, resolved_ref: name.nullish(), digest: name }).nullable(),
  kernel: z.object({ name, version: name, flavor: name }).nullable(),
  backend: name.nullable(),
  acceleration: z.object({ accel: name, reason: text }).nullable(),
  boot: z.object({ attempts: count, retry_reason: text.nullable() }).nullable(),
  timings_ms: z.record(name, count),
  timeline: z
    .array(z.object({ step: name, start_ms: count, ms: count, failed: z.boolean() }))
    .max(10_000)
    .default([]),
  artifacts: z
    .array(
      z.object({ name, guest_path: path, path, size: count, sha256: name.nullable(), mode: name }),
    )
    .max(limits.outputs.filesMax),
  artifacts_omitted: z
    .array(z.object({ name, guest_path: path, type: name, reason: text }))
    .max(limits.outputs.filesMax),
  artifacts_omitted_count: count.optional(),
  artifacts_missing: z.array(name).max(50_000),
  artifacts_incomplete: z.array(z.object({ name, error: recordedError })).max(50_000),
  audit: z
    .object({
      decision_count: count,
      by_event: z.record(name, count),
      allow_by_host: z.record(name, count),
      deny_by_host: z.record(name, count),
      usage_by_model: z
        .record(name, z.object({ answers: count, input_tokens: count, output_tokens: count }))
        .optional(),
      integrity: z.unknown().optional(),
    })
    .nullish(),
  error: recordedError.nullable(),
});

/**
 * Reads `result.json` of an output directory, or that file itself. Fails with `result_not_found` or
 * `result_invalid`, which name the file and what is wrong with it.
 */
export async function readRecordedRun(op: Op, path: string): Promise<RecordedRun> {
  op.check();
  const file = path.endsWith(".json") ? path : join(path, "result.json");
  let value: unknown;
  try {
    value = JSON.parse(await readBounded(file));
  } catch (error) {
    if (error instanceof MicroagentError) throw error;
    const errno = errnoOf(error);
    if (errno === "ENOENT" || errno === "ENOTDIR") throw notFound(path, file);
    if (errno !== undefined) throw invalid(file, `cannot be read (${errno})`, error);
    throw invalid(file, "is no JSON document", error);
  }
  const parsed = recordedRun.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const place =
    issue === undefined || issue.path.length === 0 ? "" : ` at "${issue.path.join(".")}"`;
  throw invalid(
    file,
    `is no result of a run${place}: ${issue?.message ?? "unknown"}`,
    parsed.error,
  );
}

async function readBounded(file: string): Promise<string> {
  const handle = await open(file, "r");
  try {
    const { size } = await handle.stat();
    const max = limits.report.resultBytesMax;
    if (size > max) throw invalid(file, `has ${size} bytes, at most ${max} are read`, null);
    return await handle.readFile("utf8");
  } finally {
    await handle.close();
  }
}

function notFound(path: string, file: string): MicroagentError {
  return new MicroagentError("result_not_found", `Run record "${file}" does not exist`, {
    hint: `microagent dispatch --file agent.yaml --output-dir ${path}`,
  });
}

function invalid(file: string, what: string, cause: unknown): MicroagentError {
  return new MicroagentError("result_invalid", `File "${file}" ${what}`, { cause });
}
