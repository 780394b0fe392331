import { posix } from "node:path";
import { encodeExecResult } from "../../src/agent/exec-result.ts";
import {
  encodeJsonFrame,
  frameDataBytes,
  frameKind,
  frameParts,
  framePayloadBytesMax,
} from "../../src/agent/frame.ts";
import type { Clock } from "../../src/base/op.ts";
import type { MemoryFiles } from "./guest-files.ts";
import type { GuestCall, RequestOf } from "./guest-request.ts";
import type { Program, ProgramEnd, ProgramRun } from "./guest-script.ts";
import { GuestStdin } from "./guest-stdin.ts";

/** What running a command needs of its guest. */
export interface ExecWorld {
  readonly files: MemoryFiles;
  readonly clock: Clock;
  program(name: string): Program | null;
  readonly call: ProgramRun["call"];
  powerOff(): void;
  /** Called after each piece of output was sent. */
  onOutput(): void;
}

const killGraceMs = 250;

/** Serves one exec request to its result. */
export async function serveExec(
  call: GuestCall,
  request: RequestOf<"exec">,
  world: ExecWorld,
  pid: number,
): Promise<void> {
  const program = world.program(request.argv[0] ?? "");
  const cwd = world.files.follow(request.cwd);
  if (program === null || cwd?.type !== "dir") {
    const missing = program === null ? request.argv[0] : request.cwd;
    await call.refuse("not_started", `${missing}: no such file or directory`, "ENOENT");
    return;
  }
  await call.reply({ pid });
  const startedAt = new Date(world.clock.now());
  const signals = new Signals(world.clock, request.timeout_ms);
  const stdin = new GuestStdin(!request.stdin);
  const gone = readHost(call, stdin, signals);
  const run: ProgramRun = {
    argv: request.argv,
    env: environmentOf(request.env),
    cwd: posix.resolve("/", request.cwd),
    user: request.user,
    stdin,
    stdout: (data) => send(call, frameKind.stdout, data, world),
    stderr: (data) => send(call, frameKind.stderr, data, world),
    files: world.files,
    signal: signals.terminated,
    clock: world.clock,
    program: world.program,
    call: world.call,
    powerOff: world.powerOff,
  };
  const end = await Promise.race([runProgram(program, run), signals.killed, gone]);
  signals.clear();
  if (end === null) return;
  const signal = typeof end === "object" ? end.signal : signals.received;
  const result = {
    status: signals.timedOut ? "timed_out" : signal === null ? "exited" : "signaled",
    exitCode: signal === null && typeof end === "number" ? end : null,
    signal,
    startedAt,
    endedAt: new Date(world.clock.now()),
    oomKilled: false,
    drained: true,
  } as const;
  await call.stream.write(call.op, encodeJsonFrame(frameKind.result, encodeExecResult(result)));
}

/** A program that throws has crashed. */
async function runProgram(program: Program, run: ProgramRun): Promise<ProgramEnd> {
  try {
    return await program(run);
  } catch {
    return { signal: "SIGABRT" };
  }
}

/** Reads the host's frames; resolves with null when the host has left, which kills the command. */
async function readHost(call: GuestCall, stdin: GuestStdin, signals: Signals): Promise<null> {
  try {
    for (;;) {
      const head = await call.reader.head(call.op);
      if (head === null) return null;
      const payload = await call.reader.payload(call.op, framePayloadBytesMax);
      if (head.kind === frameKind.stdin) stdin.push(payload);
      else if (head.kind === frameKind.stdinEof) stdin.end();
      else if (head.kind === frameKind.signal) {
        const value: unknown = JSON.parse(payload.toString());
        signals.send(String((value as { signal?: unknown }).signal));
      }
    }
  } catch {
    return null;
  } finally {
    stdin.end();
  }
}

async function send(
  call: GuestCall,
  kind: number,
  data: string | Uint8Array,
  world: ExecWorld,
): Promise<void> {
  // A copy: the program may change its buffer once we return.
  const bytes = typeof data === "string" ? Buffer.from(data) : Buffer.from(data);
  for (let at = 0; at < bytes.length; at += frameDataBytes) {
    await call.stream.write(call.op, frameParts(kind, bytes.subarray(at, at + frameDataBytes)));
  }
  world.onOutput();
}

function environmentOf(lines: readonly string[]): ReadonlyMap<string, string> {
  return new Map(
    lines.map((line) => {
      const at = line.indexOf("=");
      return [line.slice(0, at), line.slice(at + 1)] as const;
    }),
  );
}

/** The signals of one command: SIGKILL ends it, any other one aborts what it waits for. */
class Signals {
  received: string | null = null;
  timedOut = false;
  readonly killed: Promise<ProgramEnd>;
  readonly #controller = new AbortController();
  readonly #clock: Clock;
  #kill: (end: ProgramEnd) => void = () => {};
  #cancels: (() => void)[] = [];

  constructor(clock: Clock, timeoutMs: number) {
    this.#clock = clock;
    this.killed = new Promise((resolve) => {
      this.#kill = resolve;
    });
    if (timeoutMs === 0) return;
    this.#later(timeoutMs, () => {
      this.timedOut = true;
      this.send("SIGTERM");
      this.#later(killGraceMs, () => this.send("SIGKILL"));
    });
  }

  get terminated(): AbortSignal {
    return this.#controller.signal;
  }

  send(name: string): void {
    this.received = name;
    this.#controller.abort(name);
    if (name === "SIGKILL") this.#kill({ signal: name });
  }

  clear(): void {
    for (const cancel of this.#cancels) cancel();
  }

  #later(ms: number, work: () => void): void {
    this.#cancels.push(this.#clock.after(ms, work));
  }
}
