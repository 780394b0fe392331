import { execFile, spawn } from "node:child_process";
import type { ClientGate } from "../fixtures/client-gate.ts";
import { follow, type Running } from "./running.ts";

export interface Asked {
  /** Exit code; null when a signal ended it. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Asking {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Left out, its standard input is at its end. */
  readonly input?: string | Uint8Array;
}

/** A program that waits for longer than this for the gate hangs. */
const patienceMs = 90_000;

/** Runs a client to its end, whatever that is. Its environment has nothing of this host but the path. */
export async function ask(
  file: string,
  args: readonly string[],
  { env = {}, cwd, input = "" }: Asking = {},
): Promise<Asked> {
  return await new Promise((resolve) => {
    const options = {
      cwd,
      env: { PATH: process.env.PATH, HOME: "/nonexistent", ...env },
      timeout: patienceMs,
      maxBuffer: 64 * 1024 * 1024,
    };
    const child = execFile(file, args, options, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === "number" ? error.code : null;
      resolve({ code, stdout, stderr });
    });
    // A program that ends before it has read everything has said why itself.
    child.stdin?.on("error", () => {});
    child.stdin?.end(input);
  });
}

/** curl, as if it were in the guest: its target's name and port lead to the gate. */
export async function curl(
  gate: ClientGate,
  url: string,
  args: readonly string[] = [],
  asking: Asking = {},
): Promise<Asked> {
  return await ask("curl", await curlWords(gate, url, args), asking);
}

/** The same while it runs. */
export async function startCurl(
  gate: ClientGate,
  url: string,
  args: readonly string[],
): Promise<Running> {
  return follow(spawn("curl", await curlWords(gate, url, args)));
}

async function curlWords(
  gate: ClientGate,
  url: string,
  args: readonly string[],
): Promise<readonly string[]> {
  const { hostname, port, protocol } = new URL(url);
  const called = Number(port === "" ? (protocol === "https:" ? 443 : 80) : port);
  const entrance = await gate.entrance(hostname, called);
  const to = ["--connect-to", `${hostname}:${called}:127.0.0.1:${entrance}`];
  return ["-sS", "--max-time", "60", "--cacert", gate.caFile, ...to, ...args, url];
}
