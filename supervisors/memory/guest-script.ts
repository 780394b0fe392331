import type { Clock } from "../../src/base/op.ts";
import type { GuestCallAnswer, GuestConnection } from "./guest-calls.ts";
import type { MemoryFiles } from "./guest-files.ts";

/** What an in-memory guest is and does. Everything has a default: `{}` is a plain, honest guest. */
export interface GuestScript {
  /** What the guest says of itself in the handshake. */
  readonly hello?: {
    readonly agent?: string;
    readonly kernel?: string;
    readonly arch?: string;
  };
  /**
   * Commands by name, found by `argv[0]` or its last path component; they are added to the built-in
   * ones (see `builtinPrograms`) and win over them.
   */
  readonly programs?: Readonly<Record<string, Program>>;
  /** What listens on the guest's TCP ports. The stream is the service's to end. */
  readonly services?: Readonly<Record<number, (connection: GuestConnection) => Promise<void>>>;
  /** Files that exist from the start, by absolute path; parents are made. */
  readonly files?: Readonly<Record<string, string | Uint8Array>>;
  /** How the guest misbehaves; null or absent: it does not. */
  readonly fault?: GuestFault | null;
  /** Time for `sleep`, timeouts and results; the real one by default. */
  readonly clock?: Clock;
}

/** A scripted command: returns its exit code, or the signal that ended it. */
export type Program = (run: ProgramRun) => ProgramEnd | Promise<ProgramEnd>;
export type ProgramEnd = number | { readonly signal: string };

/** What a scripted command can see and do. */
export interface ProgramRun {
  readonly argv: readonly string[];
  readonly env: ReadonlyMap<string, string>;
  readonly cwd: string;
  readonly user: string;
  /** Ends at once when the command has no standard input. */
  readonly stdin: AsyncIterable<Uint8Array>;
  /** Resolves when the host has room for more. */
  stdout(data: string | Uint8Array): Promise<void>;
  stderr(data: string | Uint8Array): Promise<void>;
  readonly files: MemoryFiles;
  /** Aborted with the signal's name as its reason; a command that ignores it is ended by SIGKILL. */
  readonly signal: AbortSignal;
  readonly clock: Clock;
  /** The command that a name stands for, for programs that run programs. */
  program(name: string): Program | null;
  /** Asks the host for something, in the words of docs/protocol.md: `{op: "tcp", dst, port, ...}`. */
  call(request: Readonly<Record<string, unknown>>): Promise<GuestCallAnswer>;
  /** Powers the machine off, as a workload with root's rights can. */
  powerOff(): void;
}

/** One way to misbehave. Faults "on exec" strike at the first `exec` request. */
export type GuestFault =
  /** Never answers the handshake. */
  | { readonly kind: "silent" }
  /** Answers the handshake with these bytes, by default nonsense. */
  | { readonly kind: "bad-hello"; readonly bytes?: Uint8Array }
  /** Answers the handshake with a refusal. */
  | { readonly kind: "refuses"; readonly code: string; readonly message: string }
  /** Sends these raw bytes instead of an answer to the first exec. */
  | { readonly kind: "raw-on-exec"; readonly bytes: Uint8Array }
  /** Announces a data frame of 4 GiB on exec. */
  | { readonly kind: "oversized-frame-on-exec" }
  /** Opens this many streams on exec, then serves on. */
  | { readonly kind: "stream-flood-on-exec"; readonly count: number }
  /** Takes the first exec request and never answers it. */
  | { readonly kind: "hangs-on-exec" }
  /** Starts the command, passes on its first output, then the machine is gone. */
  | { readonly kind: "dies-mid-exec" }
  /** Refuses to power off: the request is answered and nothing happens. */
  | { readonly kind: "ignores-power-off" };
