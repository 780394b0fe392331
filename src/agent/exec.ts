import type { MicroagentError } from "../base/errors.ts";
import type { Op } from "../base/op.ts";

/** A command for the guest, complete: nothing is added but HOME and, on a terminal, TERM. */
export interface ExecRequest {
  readonly argv: readonly string[];
  /** `NAME=value` lines. */
  readonly env: readonly string[];
  readonly cwd: string;
  /** `name`, `uid`, `name:group` or `uid:gid`. */
  readonly user: string;
  /** False: standard input is `/dev/null`. */
  readonly stdin: boolean;
  readonly tty: TerminalSize | null;
  /** After it the command's group gets SIGTERM, then SIGKILL; null for none. */
  readonly timeoutMs: number | null;
}

export interface TerminalSize {
  readonly rows: number;
  readonly cols: number;
}

export interface ExecOutput {
  readonly stream: "stdout" | "stderr";
  readonly data: Uint8Array;
}

/** How a command ended. */
export interface ExecResult {
  readonly status: "exited" | "signaled" | "timed_out";
  /** Null when a signal ended it. */
  readonly exitCode: number | null;
  /** `SIGSEGV`; null when it exited by itself. */
  readonly signal: string | null;
  readonly startedAt: Date;
  readonly endedAt: Date;
  /** The guest's kernel killed something of it for lack of memory. */
  readonly oomKilled: boolean;
  /** False: somebody still held its output pipes after the grace, so output may be missing. */
  readonly drained: boolean;
}

/** A command that runs in the guest. */
export interface Execution {
  /** Process id in the guest. */
  readonly pid: number;
  /**
   * Output as it comes, in order per stream, for one consumer. Whoever does not read it stops the
   * command once 256 KiB and the stream's window are full, so read it even if only to drop it.
   * Ends after the result; throws when the channel ends first.
   */
  readonly output: AsyncIterable<ExecOutput>;
  readonly stdin: ExecInput;
  /** Signals the command's process group; does nothing once it has ended. */
  signal(name: string): void;
  /** Tells the terminal its size; does nothing without one. */
  resize(rows: number, cols: number): void;
  /** How it ended. Rejects with the channel's reason when that ended first, or `closed` after `kill`. */
  readonly result: Promise<ExecResult>;
  /** Ends it at once (SIGKILL to its group) and gives up on its output and result. */
  kill(reason?: MicroagentError): void;
}

export interface ExecInput {
  /** Waits until the guest has room. Fails with `closed` once the command or the input has ended. */
  write(op: Op, data: Uint8Array): Promise<void>;
  /** End of file. */
  end(): void;
}
