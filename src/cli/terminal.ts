import { packageVersion } from "../version.ts";

/** Exit code of what ended because nobody reads it, as a shell tells it: 128 and SIGPIPE's number. */
export const readerGoneCode = 141;

/** Exit codes after signals that want us to end: 128 and the signal's number. */
export const endingCodes = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;

export type EndingSignal = keyof typeof endingCodes;

/** What a command may know of the process it runs in, and where its words go. */
export interface Terminal {
  readonly version: string;
  /** Set by the global flags before a command runs. */
  json: boolean;
  color: boolean;
  debug: boolean;
  /** Set by a command that ended without an error of ours, for example with the guest's code. */
  exitCode: number;
  readonly stdoutIsTty: boolean;
  readonly stderrIsTty: boolean;
  readonly columns: number;
  readonly cwd: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Whether standard output is a pipe that nobody reads any more. */
  readonly readerGone: boolean;
  /** Resolves when the bytes were taken, so that a slow reader slows the guest. */
  writeOut(data: string | Uint8Array): Promise<void>;
  writeErr(data: string | Uint8Array): Promise<void>;
  /** Calls back on a signal that wants us to end, until the returned function is called. */
  onSignal(listener: (signal: EndingSignal) => void): () => void;
  /** Ends at once, without waiting for anything. */
  exitNow(code: number): never;
  /** Flushes and ends with `code`. */
  finish(code: number): Promise<void>;
}

/** A document of `--json`, as people and programs read it. */
export function jsonText(document: unknown): string {
  return `${JSON.stringify(document, null, 2)}\n`;
}

export function processTerminal(): Terminal {
  // A closed pipe downstream ends output, not the run: the result still has to be recorded.
  process.stderr.on("error", () => {});
  // The stream itself does not keep it: Node makes standard output whole again after each error.
  let readerGone = false;
  process.stdout.on("error", () => {
    readerGone = true;
  });
  return {
    version: packageVersion,
    json: false,
    color: process.stderr.isTTY === true && process.env.NO_COLOR === undefined,
    debug: false,
    exitCode: 0,
    stdoutIsTty: process.stdout.isTTY === true,
    stderrIsTty: process.stderr.isTTY === true,
    get columns() {
      // It may be resized; a terminal of unknown width says 0.
      return process.stderr.columns || 80;
    },
    cwd: process.cwd(),
    environment: process.env,
    get readerGone() {
      return readerGone;
    },
    writeOut: (data) => write(process.stdout, data),
    writeErr: (data) => write(process.stderr, data),
    onSignal(listener) {
      const entries = Object.keys(endingCodes).map((name) => {
        const signal = name as EndingSignal;
        return [signal, () => listener(signal)] as const;
      });
      for (const [signal, act] of entries) process.on(signal, act);
      return () => {
        for (const [signal, act] of entries) process.off(signal, act);
      };
    },
    exitNow: (code) => process.exit(code),
    async finish(code) {
      await Promise.all([write(process.stdout, ""), write(process.stderr, "")]);
      process.exit(code);
    },
  };
}

function write(stream: NodeJS.WriteStream, data: string | Uint8Array): Promise<void> {
  if (stream.destroyed || !stream.writable) return Promise.resolve();
  return new Promise((resolve) => {
    stream.write(data, () => resolve());
  });
}
