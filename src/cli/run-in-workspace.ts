import { createReadStream } from "node:fs";
import { MicroagentError } from "../base/errors.ts";
import { realClock } from "../base/op.ts";
import type { AttachedWorkspace, GuestCommand, Op } from "../index.ts";
import { interruptionOf } from "./interruption.ts";
import { processKeyboard } from "./keyboard.ts";
import { exitCodeOfResult } from "./render/exec-result.ts";
import { type EndingSignal, endingCodes, readerGoneCode, type Terminal } from "./terminal.ts";

type Execution = Awaited<ReturnType<AttachedWorkspace["exec"]>>;

/** Where a command's standard input comes from: a host file, our own, or nothing. */
export type InputSource = { readonly path: string } | "own" | null;

/** Runs a command with its output as ours, its signals from ours, and its exit code as ours. */
export async function runInWorkspace(
  op: Op,
  terminal: Terminal,
  workspace: AttachedWorkspace,
  command: GuestCommand,
  input: InputSource,
): Promise<void> {
  const execution = await workspace.exec(op, { ...command, stdin: input !== null });
  const signals = passSignals(terminal, execution);
  const feeding = feed(op, execution, input);
  try {
    if (!(await workspace.explaining("running a command", show(op, terminal, execution)))) {
      terminal.exitCode = readerGoneCode;
      return;
    }
    const result = await workspace.explaining("running a command", execution.result);
    terminal.exitCode = exitCodeOfResult(result);
    if (result.status === "timed_out") {
      await terminal.writeErr("the command was ended by its timeout (raise it with --timeout)\n");
    } else if (result.oomKilled) {
      await terminal.writeErr("the guest ran out of memory (raise it with --memory)\n");
    }
  } catch (error) {
    const { disobeyed } = signals;
    if (disobeyed === null) throw error;
    await terminal.writeErr(`the command did not end by ${disobeyed} and was killed\n`);
    terminal.exitCode = endingCodes[disobeyed];
    return;
  } finally {
    signals.stop();
    feeding.stop();
  }
  await feeding.failure();
}

/** What a command may say after nobody reads it, before it is ended in spite of itself. */
const unreadLimit = 1024 * 1024;

/** Resolves to false when the command was ended because nobody reads what it says. */
async function show(op: Op, terminal: Terminal, execution: Execution): Promise<boolean> {
  let unread = 0;
  for await (const { stream, data } of execution.output) {
    await op.race(stream === "stdout" ? terminal.writeOut(data) : terminal.writeErr(data));
    if (stream !== "stdout" || !terminal.readerGone) continue;
    // A pipe of the guest's own would have told it so.
    if (unread === 0) execution.signal("SIGPIPE");
    unread += data.length;
    if (unread <= unreadLimit) continue;
    execution.kill();
    return false;
  }
  return true;
}

/**
 * The first signal is the command's, to end by; the second is ours. A command that does not end by it is killed, but for
 * the SIGINT of a keyboard, which programs with a prompt take for something else.
 */
function passSignals(terminal: Terminal, execution: Execution): PassedSignals {
  const interruption = interruptionOf(terminal);
  let count = 0;
  let cancel = () => {};
  let disobeyed: EndingSignal | null = null;
  const stop = interruption.divert((signal: EndingSignal) => {
    count += 1;
    if (count > 1) terminal.exitNow(endingCodes[signal]);
    execution.signal(signal);
    if (signal === "SIGINT" && terminal.stdoutIsTty) return;
    cancel = realClock.after(obedienceMs, () => {
      disobeyed = signal;
      execution.kill();
    });
    interruption.giveUpAfter(signal);
  });
  return {
    get disobeyed() {
      return disobeyed;
    },
    stop() {
      stop();
      cancel();
    },
  };
}

interface PassedSignals {
  /** The signal after which the command had to be killed; null when it had not. */
  readonly disobeyed: EndingSignal | null;
  stop(): void;
}

/** What a command gets to end by a signal. */
const obedienceMs = 3_500;

interface Feeding {
  stop(): void;
  /** Throws what kept the input from being read. */
  failure(): Promise<void>;
}

function feed(op: Op, execution: Execution, input: InputSource): Feeding {
  if (input === null) return { stop: () => {}, failure: async () => {} };
  const keyboard = input === "own" ? processKeyboard() : null;
  const file = input === "own" ? null : createReadStream(input.path);
  const source = keyboard?.read() ?? (file as AsyncIterable<Uint8Array>);
  let failed: MicroagentError | null = null;
  const work = async () => {
    const pieces = source[Symbol.asyncIterator]();
    for (;;) {
      let piece: IteratorResult<Uint8Array>;
      try {
        piece = await pieces.next();
      } catch (cause) {
        const path = input === "own" ? "standard input" : input.path;
        failed = new MicroagentError("invalid_argument", `Input "${path}" cannot be read`, {
          cause,
        });
        break;
      }
      if (piece.done === true) break;
      await execution.stdin.write(op, piece.value);
    }
    execution.stdin.end();
  };
  // A command that ends without reading it all has had enough.
  void work().catch(() => {});
  return {
    stop() {
      keyboard?.close();
      file?.destroy();
    },
    async failure() {
      if (failed !== null) throw failed;
    },
  };
}
