import { PassThrough, type Readable, Writable } from "node:stream";
import {
  type Execution,
  type GuestCommand,
  guestCommand,
  type Op,
  type Workspace,
} from "../../src/index.ts";
import type { CallBound, Life } from "./life.ts";

export interface SpawnOptions {
  readonly cwd?: string | undefined;
  readonly env?: Readonly<Record<string, string>> | undefined;
  readonly user?: string | undefined;
  /** Give it a standard input that is written to; default: none. */
  readonly stdin?: boolean | undefined;
}

export interface SpawnEnd {
  readonly exitCode: number | null;
  readonly signal: string | null;
}

/** A command that runs beside the test. */
export interface Spawned extends AsyncDisposable {
  /** Process id in the machine. */
  readonly pid: number;
  /** Read them, or the command waits once 256 KiB and a window are full. */
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** Null without `stdin: true`. */
  readonly stdin: Writable | null;
  /** Sends a signal to its process group; default SIGTERM. */
  kill(signal?: string): void;
  /** How it ended; rejects when the machine ends first, or the time is over. */
  wait(bound?: CallBound): Promise<SpawnEnd>;
}

export async function startCommand(
  workspace: Workspace,
  life: Life,
  argv: readonly string[],
  options: SpawnOptions,
): Promise<Spawned> {
  const { cwd, env, user, stdin } = options;
  const command: GuestCommand = { argv, cwd, env, user, stdin };
  const execution = await life.during("spawn", {}, life.timeouts.exec, (op) =>
    workspace.exec(op, guestCommand(workspace, command)),
  );
  return spawnedOf(workspace, life, execution, stdin === true);
}

function spawnedOf(
  workspace: Workspace,
  life: Life,
  execution: Execution,
  hasInput: boolean,
): Spawned {
  const stdout = new PassThrough();
  const stderr = new PassThrough();
  const ended = workspace.explaining("running a command", pump(execution, stdout, stderr));
  ended.catch((error: Error) => {
    for (const stream of [stdout, stderr]) {
      // Nobody may be listening, and the reason is what `wait` says.
      stream.on("error", () => {});
      stream.destroy(error);
    }
  });
  return {
    pid: execution.pid,
    stdout,
    stderr,
    stdin: hasInput ? inputOf(life, execution) : null,
    kill: (signal = "SIGTERM") => execution.signal(signal),
    wait: (bound = {}) =>
      life.during("wait", bound, life.timeouts.exec, (op: Op) => op.race(ended)),
    async [Symbol.asyncDispose]() {
      execution.kill();
      await ended.catch(() => {});
    },
  };
}

async function pump(execution: Execution, stdout: PassThrough, stderr: PassThrough) {
  for await (const { stream, data } of execution.output) {
    const target = stream === "stdout" ? stdout : stderr;
    // A copy: the buffer belongs to the channel.
    if (!target.write(Buffer.from(data)) && !target.destroyed) {
      await new Promise<void>((resolve) => {
        target.once("drain", resolve);
        target.once("close", resolve);
      });
    }
  }
  stdout.end();
  stderr.end();
  const { exitCode, signal } = await execution.result;
  return { exitCode, signal };
}

function inputOf(life: Life, execution: Execution): Writable {
  return new Writable({
    write(chunk: Buffer, _encoding, done) {
      life
        .during("stdin", {}, life.timeouts.exec, (op) => execution.stdin.write(op, chunk))
        .then(() => done(), done);
    },
    final(done) {
      execution.stdin.end();
      done();
    },
  });
}
