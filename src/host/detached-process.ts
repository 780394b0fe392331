import { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { channelFd } from "./spawn-detached.ts";

/** The child's side of `spawnDetached`. */
export interface DetachedProcess {
  /** To whoever started us. */
  readonly channel: Duplex;
  /** Aborts when this process is asked to end (SIGTERM). The terminal's signals do nothing. */
  readonly stop: AbortSignal;
  /** Takes over the environment of whoever started us: it is nowhere but in our memory. */
  takeEnvironment(env: Readonly<Record<string, string>>): void;
  end(code: number): never;
}

export function detachedProcess(): DetachedProcess {
  const channel = new Socket({ fd: channelFd, readable: true, writable: true });
  // Whoever started us may go before we have said everything.
  channel.on("error", () => {});
  const ending = new AbortController();
  process.on("SIGTERM", () => ending.abort());
  for (const signal of ["SIGINT", "SIGHUP"] as const) process.on(signal, () => {});
  return {
    channel,
    stop: ending.signal,
    takeEnvironment(env) {
      for (const [name, value] of Object.entries(env)) process.env[name] = value;
    },
    end: (code) => process.exit(code),
  };
}
