import { spawn } from "node:child_process";
import { open } from "node:fs/promises";
import type { Duplex } from "node:stream";
import { MicroagentError } from "../base/errors.ts";
import { hostEnvironment, minimalChildEnvironment } from "./environment.ts";
import type { ChildExit } from "./spawn-child.ts";

/** A child that outlives this process. */
export interface DetachedChild {
  readonly pid: number;
  /** What the child has as descriptor 3. */
  readonly channel: Duplex;
  /** Resolves when it ends while this process is still there. */
  readonly exit: Promise<ChildExit>;
}

/** Descriptor of the channel in the child. */
export const channelFd = 3;

/*
 * Besides what every child gets: roots that Node reads only when it starts, and the mark by which a CI
 * runner knows what a job has left behind.
 */
const passedOn = ["NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE", "RUNNER_TRACKING_ID"];

/**
 * Starts a program in a session of its own, which neither the terminal nor the end of this process
 * reaches. Its own words go to a log. `host_tool_failed` when it cannot be started.
 */
export async function spawnDetached(options: {
  readonly file: string;
  readonly args: readonly string[];
  readonly logPath: string;
}): Promise<DetachedChild> {
  const env = minimalChildEnvironment();
  for (const name of passedOn) {
    const value = hostEnvironment.env(name);
    if (value !== undefined) env[name] = value;
  }
  const log = await open(options.logPath, "a", 0o600);
  try {
    const child = spawn(options.file, [...options.args], {
      detached: true,
      env,
      stdio: ["ignore", log.fd, log.fd, "pipe"],
    });
    const exit = new Promise<ChildExit>((resolve) => {
      child.once("exit", (code, signal) => resolve({ code, signal }));
      child.once("error", () => resolve({ code: null, signal: null }));
    });
    const failure = await new Promise<Error | null>((resolve) => {
      child.once("spawn", () => resolve(null));
      child.once("error", resolve);
    });
    if (failure !== null || child.pid === undefined) {
      throw new MicroagentError(
        "host_tool_failed",
        `Program "${options.file}" could not be started (${failure?.message ?? "no process"})`,
        { cause: failure },
      );
    }
    child.unref();
    const channel = child.stdio[channelFd] as Duplex;
    // Whoever reads it hears of its end; an error that nobody hears would end this process.
    channel.on("error", () => {});
    return { pid: child.pid, channel, exit };
  } finally {
    await log.close();
  }
}
