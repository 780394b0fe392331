import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { limits } from "../../../src/base/limits.ts";
import { withOp } from "../../../src/base/op.ts";
import { readRecordedRun } from "../../../src/report/recorded-run.ts";
import { Capture } from "../../../src/workspace/capture.ts";
import { nothingCollected } from "../../../src/workspace/outputs.ts";
import { resultJson } from "../../../src/workspace/result-json.ts";
import { resultOf } from "../action/sample-result.ts";

/** The largest record is built at this fraction of its size. */
const scale = 16;

test("the largest record that a guest can make is one that the report reads", async () => {
  const { outputs, exec } = limits;
  const count = Math.floor(outputs.filesMax / scale);
  // Quotation marks take two bytes in JSON, control characters six; both names have the output's path or name before it.
  const name = '"'.repeat(Math.floor(outputs.nameBytesMax / outputs.filesMax));
  const artifact = {
    output: "o",
    guestPath: `/${name}/${name}`,
    path: `o/${name}`,
    sizeBytes: Number.MAX_SAFE_INTEGER,
    sha256: "f".repeat(64),
    mode: 0o7777,
  };
  const omission = {
    output: "o",
    guestPath: `/${'"'.repeat(4095)}/${'"'.repeat(outputs.recordedNameCharsMax)}`,
    type: "symlink",
    reason: '"'.repeat(2 * outputs.recordedNameCharsMax),
  };
  const text = Capture.of("\u0001".repeat(exec.captureBytesMax / scale), true);
  const result = resultOf({
    startedAt: new Date(),
    stdout: text,
    stderr: text,
    outputs: {
      ...nothingCollected,
      artifacts: Array(count).fill(artifact),
      omissions: Array(Math.floor(outputs.recordsMax / scale)).fill(omission),
      omissionCount: outputs.filesMax,
    },
  });
  const document = `${JSON.stringify(resultJson(result), null, 2)}\n`;
  const whole = Buffer.byteLength(document) * scale;
  expect(whole).toBeLessThan(limits.report.resultBytesMax);
  const dir = await mkdtemp(join(tmpdir(), "microagent-record-"));
  try {
    await writeFile(join(dir, "result.json"), document);
    const run = await withOp("test", {}, (op) => readRecordedRun(op, dir));
    expect(run.artifacts.length).toBe(count);
    expect(run.artifacts_omitted_count).toBe(outputs.filesMax);
  } finally {
    await rm(dir, { recursive: true });
  }
});
