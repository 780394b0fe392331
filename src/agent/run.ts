import { MicroagentError } from "../base/errors.ts";
import { GatheredBytes } from "../base/gathered-bytes.ts";
import { limits } from "../base/limits.ts";
import type { Op } from "../base/op.ts";
import type { ExecRequest, ExecResult, Execution } from "./exec.ts";

export interface RunOptions {
  /** Given to the command as its whole standard input. */
  readonly stdin?: Uint8Array | undefined;
  /** Bytes kept of each; more is dropped and `...Truncated` says so. Default and cap: 10 MiB. */
  readonly stdoutLimit?: number | undefined;
  readonly stderrLimit?: number | undefined;
}

/** A command that ran to its end, with the beginning of its output. */
export interface RunResult extends ExecResult {
  readonly stdout: Buffer;
  readonly stderr: Buffer;
  readonly stdoutTruncated: boolean;
  readonly stderrTruncated: boolean;
}

/** Runs a command to its end; when `op` ends first, the command is killed. */
export async function runToEnd(
  op: Op,
  start: (request: ExecRequest) => Promise<Execution>,
  request: ExecRequest,
  options: RunOptions = {},
): Promise<RunResult> {
  const execution = await start({ ...request, stdin: options.stdin !== undefined });
  const stdout = new Kept(limitOf(options.stdoutLimit));
  const stderr = new Kept(limitOf(options.stderrLimit));
  const read = async () => {
    for await (const { stream, data } of execution.output) {
      if (stream === "stdout") stdout.add(data);
      else stderr.add(data);
    }
    return await execution.result;
  };
  try {
    const [result] = await op.race(Promise.all([read(), feed(op, execution, options.stdin)]));
    return {
      ...result,
      stdout: stdout.bytes(),
      stderr: stderr.bytes(),
      stdoutTruncated: stdout.truncated,
      stderrTruncated: stderr.truncated,
    };
  } catch (error) {
    execution.kill();
    throw error;
  }
}

/** Gives the input; a command that ends without reading it all has had enough. */
async function feed(op: Op, execution: Execution, data: Uint8Array | undefined): Promise<void> {
  if (data === undefined) return;
  try {
    await execution.stdin.write(op, data);
    execution.stdin.end();
  } catch (error) {
    if (!(error instanceof MicroagentError) || error.code !== "closed") throw error;
  }
}

function limitOf(wanted: number | undefined): number {
  return Math.min(wanted ?? limits.exec.captureBytesMax, limits.exec.captureBytesMax);
}

class Kept {
  truncated = false;
  readonly #kept: GatheredBytes;

  constructor(limitBytes: number) {
    this.#kept = new GatheredBytes(limitBytes);
  }

  add(data: Uint8Array): void {
    if (!this.#kept.add(data)) this.truncated = true;
  }

  bytes(): Buffer {
    return this.#kept.bytes();
  }
}
