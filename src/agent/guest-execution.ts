import { z } from "zod";
import { MicroagentError } from "../base/errors.ts";
import { type Op, startOp } from "../base/op.ts";
import type { Session } from "../channel/session.ts";
import type { ChannelStream } from "../channel/stream.ts";
import { exchange } from "./exchange.ts";
import type { ExecInput, ExecOutput, ExecRequest, ExecResult, Execution } from "./exec.ts";
import { parseExecResult } from "./exec-result.ts";
import { encodeJsonFrame, frameDataBytes, frameKind, frameParts } from "./frame.ts";
import type { FrameHead, MessageReader } from "./message-reader.ts";
import { OutputQueue } from "./output-queue.ts";

const startedReply = z.object({ pid: z.number().int().positive().max(0x7fff_ffff) });

/** Starts a command; `exec_not_started` when the guest could not. */
export async function startExecution(
  op: Op,
  session: Session,
  request: ExecRequest,
): Promise<Execution> {
  const { argv, env, cwd, user, stdin, tty, timeoutMs } = request;
  const header = {
    op: "exec",
    argv,
    env,
    cwd,
    user,
    stdin,
    ...(tty === null ? {} : { tty: { rows: tty.rows, cols: tty.cols } }),
    ...(timeoutMs === null ? {} : { timeout_ms: Math.max(1, Math.round(timeoutMs)) }),
  };
  const name = JSON.stringify((argv[0] ?? "").slice(0, 80));
  const started = await exchange(op, session, header, startedReply, `run ${name}`);
  return new GuestExecution(started.stream, started.reader, started.reply.pid);
}

class GuestExecution implements Execution {
  readonly pid: number;
  readonly output: AsyncIterable<ExecOutput>;
  readonly stdin: ExecInput;
  readonly result: Promise<ExecResult>;
  readonly #stream: ChannelStream;
  readonly #reader: MessageReader;
  readonly #queue = new OutputQueue();
  /** The command outlives the op that started it; it ends with the stream. */
  readonly #op: Op = startOp("exec").op;
  #ended = false;
  #stdinEnded = false;

  constructor(stream: ChannelStream, reader: MessageReader, pid: number) {
    this.pid = pid;
    this.#stream = stream;
    this.#reader = reader;
    this.output = this.#queue;
    this.stdin = { write: (op, data) => this.#writeStdin(op, data), end: () => this.#endStdin() };
    this.result = this.#run();
    this.result.catch(() => {});
  }

  signal(name: string): void {
    this.#tell(encodeJsonFrame(frameKind.signal, { signal: name }));
  }

  resize(rows: number, cols: number): void {
    this.#tell(encodeJsonFrame(frameKind.resize, { rows, cols }));
  }

  kill(reason = new MicroagentError("closed", "The command was killed by its caller")): void {
    if (this.#ended) return;
    this.#stream.reset(reason);
    // Whoever reads the output learns it now, also when it is full.
    this.#queue.end(reason);
  }

  async #run(): Promise<ExecResult> {
    try {
      const result = await this.#readToResult();
      this.#ended = true;
      this.#stream.leave();
      this.#queue.end();
      return result;
    } catch (error) {
      this.#ended = true;
      this.#stream.reset();
      this.#queue.end(error);
      throw error;
    }
  }

  async #readToResult(): Promise<ExecResult> {
    for (;;) {
      const head = await this.#reader.head(this.#op);
      if (head === null) throw this.#reader.violate("The guest ended a command without its result");
      switch (head.kind) {
        case frameKind.stdout:
          await this.#pass("stdout");
          break;
        case frameKind.stderr:
          await this.#pass("stderr");
          break;
        case frameKind.result:
          return await this.#readResult();
        default:
          throw this.#reader.violate(unknownKind(head));
      }
    }
  }

  async #pass(stream: "stdout" | "stderr"): Promise<void> {
    for (;;) {
      const data = await this.#reader.body(this.#op);
      if (data === null) return;
      const room = this.#queue.push({ stream, data });
      if (room !== undefined) await room;
    }
  }

  async #readResult(): Promise<ExecResult> {
    const result = parseExecResult(await this.#reader.json(this.#op));
    if (result === null) throw this.#reader.violate("The guest sent a malformed exec result");
    return result;
  }

  async #writeStdin(op: Op, data: Uint8Array): Promise<void> {
    if (this.#ended || this.#stdinEnded) {
      const whose = this.#ended ? "command" : "input";
      throw new MicroagentError("closed", `The ${whose} has ended and takes no more bytes`);
    }
    for (let at = 0; at < data.length; at += frameDataBytes) {
      const part = data.subarray(at, at + frameDataBytes);
      await this.#stream.write(op, frameParts(frameKind.stdin, part));
    }
  }

  #endStdin(): void {
    if (this.#stdinEnded) return;
    this.#stdinEnded = true;
    this.#tell(encodeJsonlessFrame(frameKind.stdinEof));
  }

  #tell(frame: Uint8Array): void {
    if (this.#ended) return;
    this.#stream.write(this.#op, frame).catch(() => {});
  }
}

function unknownKind(head: FrameHead): string {
  return `The guest sent a frame of kind ${head.kind} to a command, wanted stdout, stderr or result`;
}

function encodeJsonlessFrame(kind: number): Uint8Array {
  return Buffer.concat(frameParts(kind, new Uint8Array(0)));
}
