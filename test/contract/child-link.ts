import { spawn } from "node:child_process";
import { Duplex } from "node:stream";

/** A program that speaks over its standard input and output, and the one socket it has for both. */
export interface LinkedChild {
  readonly link: Duplex;
  /** Ends the program and waits until it is gone. */
  stop(): Promise<void>;
}

export function startLinked(file: string, ...args: string[]): LinkedChild {
  // Both standard streams are one socket pair, as a machine's port is one byte stream.
  const child = spawn("sh", ["-c", 'exec "$0" "$@" <&3 >&3 3>&-', file, ...args], {
    stdio: ["ignore", "ignore", "inherit", "pipe"],
  });
  const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const link = child.stdio[3];
  if (!(link instanceof Duplex)) throw new TypeError("The child has no socket");
  link.on("error", () => {});
  return {
    link,
    stop: async () => {
      child.kill("SIGKILL");
      link.destroy();
      await exited;
    },
  };
}
