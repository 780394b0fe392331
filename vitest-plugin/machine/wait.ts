import {
  type GuestWatch,
  isMicroagentError,
  MicroagentError,
  type Op,
  readGuestFile,
  type Workspace,
} from "../../src/index.ts";
import { type ExecResult, endOf, shorter } from "./exec.ts";
import type { CallBound, Life } from "./life.ts";
import type { MachinePort } from "./port.ts";

export interface HttpWait extends CallBound {
  readonly path?: string | undefined;
  /** Default: any status from 200 to 399. */
  readonly status?: number | undefined;
}

/**
 * Waits that end as soon as the thing is so, that end at once when the machine does, and that say what was seen
 * last when the time is over. Each takes `timeout` (milliseconds) and `signal`, and never outlasts the test.
 */
export interface WaitFor {
  /** Something listens on a TCP port, on whatever address. */
  port(port: number, bound?: CallBound): Promise<void>;
  closedPort(port: number, bound?: CallBound): Promise<void>;
  http(port: number, options?: HttpWait): Promise<Response>;
  /** A path is there; `absent` waits until it is not. */
  file(path: string, options?: CallBound & { readonly absent?: boolean }): Promise<void>;
  /** A file's text matches; gives the match. */
  log(path: string, pattern: string | RegExp, bound?: CallBound): Promise<RegExpMatchArray>;
  /** The guest kernel's console matches. */
  console(pattern: string | RegExp, bound?: CallBound): Promise<RegExpMatchArray>;
  /** A process of that name runs. */
  process(name: string, bound?: CallBound): Promise<void>;
  /** No process of that name runs any more. */
  exit(name: string, bound?: CallBound): Promise<void>;
  /** A shell command ends with exit code 0. */
  command(script: string, bound?: CallBound): Promise<ExecResult>;
}

export interface WaitParts {
  readonly name: string;
  life(): Life;
  workspace(): Workspace;
  port(number: number): MachinePort;
  quietly(script: string, bound: CallBound): Promise<ExecResult>;
}

/** Pauses between looks from outside, where the guest cannot watch for us. */
const firstPauseMs = 20;
const lastPauseMs = 250;
const logBytesMax = 16 * 1024 * 1024;

export class Waits implements WaitFor {
  readonly #parts: WaitParts;

  constructor(parts: WaitParts) {
    this.#parts = parts;
  }

  port(port: number, bound: CallBound = {}): Promise<void> {
    return this.#watched(`Port ${port} did not open`, { for: "port", port, present: true }, bound);
  }

  closedPort(port: number, bound: CallBound = {}): Promise<void> {
    return this.#watched(
      `Port ${port} did not close`,
      { for: "port", port, present: false },
      bound,
    );
  }

  file(path: string, options: CallBound & { readonly absent?: boolean } = {}): Promise<void> {
    const present = options.absent !== true;
    const failed = `File "${path}" did not ${present ? "appear" : "disappear"}`;
    return this.#watched(failed, { for: "file", path, present }, options);
  }

  process(name: string, bound: CallBound = {}): Promise<void> {
    const watch = { for: "process", name, present: true } as const;
    return this.#watched(`Process "${name}" did not start`, watch, bound);
  }

  exit(name: string, bound: CallBound = {}): Promise<void> {
    const watch = { for: "process", name, present: false } as const;
    return this.#watched(`Process "${name}" did not end`, watch, bound);
  }

  async http(port: number, options: HttpWait = {}): Promise<Response> {
    const { path = "/", status } = options;
    return await this.#polled(
      `No answer as wanted from ${path} on port ${port}`,
      options,
      async () => {
        const response = await this.#parts.port(port).fetch(path, { timeout: 5_000 });
        const fits = status === undefined ? response.status < 400 : response.status === status;
        if (fits) return { found: response };
        await response.body?.cancel();
        return { seen: `status ${response.status}` };
      },
    );
  }

  async log(
    path: string,
    pattern: string | RegExp,
    bound: CallBound = {},
  ): Promise<RegExpMatchArray> {
    const { workspace } = this.#parts;
    return await this.#within(
      `"${path}" did not show ${shown(pattern)}`,
      bound,
      async (op, see) => {
        for (;;) {
          const text = await readGuestFile(op, workspace(), path, logBytesMax).catch(
            (error: unknown) => {
              if (isMicroagentError(error) && error.code === "guest_file_not_found") return null;
              throw error;
            },
          );
          const found = text?.toString("utf8").match(pattern);
          if (found) return found;
          see(text === null ? "it is not there" : `its end is "${tailOf(text.toString("utf8"))}"`);
          const beyond = text === null ? undefined : text.length;
          const watch = { for: "file", path, present: true, beyond } as const;
          await this.#ask(op, watch, op.remainingMs());
        }
      },
    );
  }

  async console(pattern: string | RegExp, bound: CallBound = {}): Promise<RegExpMatchArray> {
    return await this.#polled(`The console did not show ${shown(pattern)}`, bound, async () => {
      const text = this.#parts.workspace().consoleTail();
      const found = text.match(pattern);
      return found ? { found } : { seen: `its end is "${tailOf(text)}"` };
    });
  }

  async command(script: string, bound: CallBound = {}): Promise<ExecResult> {
    return await this.#polled(`"${shorter(script)}" did not succeed`, bound, async (op) => {
      const result = await this.#parts.quietly(script, {
        timeout: op.remainingMs(),
        signal: op.signal,
      });
      if (result.exitCode === 0 && !result.timedOut) return { found: result };
      return { seen: `it ${endOf(result)}, "${tailOf(result.stderr || result.stdout)}"` };
    });
  }

  /** Repeats `check` until what it gives is neither false, null nor undefined. */
  async until<T>(check: () => T | Promise<T>, bound: CallBound & { readonly what?: string } = {}) {
    return await this.#polled(
      bound.what ?? "What was waited for did not happen",
      bound,
      async () => {
        const value = await check();
        if (value !== false && value !== null && value !== undefined) {
          return { found: value as Exclude<T, false | null | undefined> };
        }
        return { seen: `the check gave ${String(value)}` };
      },
    );
  }

  /** A wait that the guest does for us. */
  async #watched(failed: string, watch: GuestWatch, bound: CallBound): Promise<void> {
    await this.#within(failed, bound, async (op, see) => {
      for (;;) {
        const answer = await this.#ask(op, watch, askMs(op));
        if (answer.met) return;
        see(answer.seen);
      }
    });
  }

  async #ask(op: Op, watch: GuestWatch, timeoutMs: number) {
    const workspace = this.#parts.workspace();
    const asked = workspace.agent.watch(op, watch, timeoutMs);
    return await workspace.explaining(`waiting for a ${watch.for}`, asked);
  }

  /** A wait that looks again and again. What a look throws is what was seen. */
  async #polled<T>(
    failed: string,
    bound: CallBound,
    look: (op: Op) => Promise<{ readonly found: T } | { readonly seen: string }>,
  ): Promise<T> {
    return await this.#within(failed, bound, async (op, see) => {
      let pauseMs = firstPauseMs;
      for (;;) {
        op.check();
        const result = await look(op).catch((error: unknown) => {
          op.check();
          if (isOver(error)) throw error;
          return { seen: error instanceof Error ? error.message : String(error) };
        });
        if ("found" in result) return result.found;
        see(result.seen);
        await op.sleep(Math.min(pauseMs, Math.max(1, op.remainingMs())));
        pauseMs = Math.min(lastPauseMs, pauseMs * 1.5);
      }
    });
  }

  async #within<T>(
    failed: string,
    bound: CallBound,
    work: (op: Op, see: (what: string) => void) => Promise<T>,
  ): Promise<T> {
    const { name, workspace } = this.#parts;
    const life = this.#parts.life();
    let seen: string | null = null;
    let looks = 0;
    const timeoutMs = life.bound(bound.timeout ?? life.timeouts.wait);
    const machine = workspace();
    // The end of the machine ends the wait, also one that asks nothing of it.
    const ended = machine.exit.then((exit): never => {
      const memory = exit.kind === "killed" ? exit.outOfMemory : null;
      const code = memory === null ? "guest_powered_off" : "machine_killed";
      const how = memory === null ? exit.kind : memory.sentence;
      throw new MicroagentError(
        exit.kind === "requested" ? "closed" : code,
        `${failed}: machine "${name}" ended (${how}) while it was waited for`,
        {
          hint: memory?.hint ?? consoleHint(exit.consoleTail),
          details: { exit: exit.kind, seen },
        },
      );
    });
    ended.catch(() => {});
    try {
      return await life.during("wait", bound, timeoutMs, async (op) => {
        const waited = work(op, (what) => {
          seen = what;
          looks++;
        });
        waited.catch(() => {});
        return await Promise.race([waited, ended]);
      });
    } catch (error) {
      if (!isMicroagentError(error) || error.code !== "timeout") throw error;
      const last = seen === null ? "nothing was seen" : `last seen (${looks} looks): ${seen}`;
      throw new MicroagentError(
        "timeout",
        `${failed} on machine "${name}" within ${timeoutMs} ms; ${last}`,
        { hint: consoleHint(machine.consoleTail()), details: { seen, timeoutMs } },
      );
    }
  }
}

/** Short enough for the guest to say what it saw before the time is over. */
function askMs(op: Op): number {
  return Math.max(20, Math.min(1_000, op.remainingMs() / 2));
}

/** Failures that no further look can mend. */
function isOver(error: unknown): boolean {
  const over = ["closed", "channel_closed", "guest_crashed", "guest_powered_off", "vmm_failed"];
  return isMicroagentError(error) && [...over, "machine_killed", "cancelled"].includes(error.code);
}

function consoleHint(tail: string): string | undefined {
  const lines = tail
    .split(/\r?\n/)
    .map((line) => line.trimEnd())
    .filter((line) => line !== "")
    .slice(-6);
  return lines.length === 0 ? undefined : `The console ended with:\n  ${lines.join("\n  ")}`;
}

function tailOf(text: string): string {
  return text.trimEnd().slice(-160);
}

function shown(pattern: string | RegExp): string {
  return typeof pattern === "string" ? `"${pattern}"` : String(pattern);
}
