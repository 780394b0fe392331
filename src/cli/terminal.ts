import { packageVersion } from "../version.ts";

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
  /** Resolves when the bytes were taken, so that a slow reader slows the guest. */
  writeOut(data: string | Uint8Array): Promise<void>;
  writeErr(data: string | Uint8Array): Promise<void>;
  /** Calls back on SIGINT and SIGTERM until the returned function is called. */
  onSignal(listener: (signal: "SIGINT" | "SIGTERM") => void): () => void;
  /** Ends at once, without waiting for anything. */
  exitNow(code: number): never;
  /** Flushes and ends with `code`. */
  finish(code: number): Promise<void>;
}

export function processTerminal(): Terminal {
  // A closed pipe downstream ends output, not the run: the result still has to be recorded.
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});
  return {
    version: packageVersion,
    json: false,
    color: process.stderr.isTTY === true && process.env.NO_COLOR === undefined,
    debug: false,
    exitCode: 0,
    stdoutIsTty: process.stdout.isTTY === true,
    stderrIsTty: process.stderr.isTTY === true,
    // A terminal of unknown width says 0.
    columns: process.stderr.columns || 80,
    cwd: process.cwd(),
    environment: process.env,
    writeOut: (data) => write(process.stdout, data),
    writeErr: (data) => write(process.stderr, data),
    onSignal(listener) {
      const onInterrupt = () => listener("SIGINT");
      const onTerminate = () => listener("SIGTERM");
      process.on("SIGINT", onInterrupt);
      process.on("SIGTERM", onTerminate);
      return () => {
        process.off("SIGINT", onInterrupt);
        process.off("SIGTERM", onTerminate);
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
