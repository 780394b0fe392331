import type { Duplex } from "node:stream";
import { MicroagentError } from "../../src/base/errors.ts";
import type { Op } from "../../src/base/op.ts";

/** One message of QEMU; its longest answers to us are a few hundred bytes. */
const lineBytesMax = 1024 * 1024;

interface Waiter {
  readonly command: string;
  resolve(value: unknown): void;
  reject(error: MicroagentError): void;
}

export type CommandArguments = Readonly<Record<string, unknown>>;

/** Client of QEMU's machine protocol on an inherited socket: one JSON object per line. */
export interface Control {
  /** Resolves when QEMU has greeted us and takes commands; rejects when it never will. */
  readonly ready: Promise<void>;
  /** Resolves when the connection has ended. */
  readonly ended: Promise<void>;
  /** Why the machine shut down in QEMU's words ("guest-reset", "host-qmp-quit"), once it did. */
  shutdownReason(): string | null;
  /** Runs a command and returns its value. `vmm_failed` when QEMU refuses or goes away. */
  execute(op: Op, command: string, args?: CommandArguments): Promise<unknown>;
  /** Resolves with how the migration that is to be started next ended; rejects when QEMU goes away. */
  migrationEnd(): Promise<"completed" | "failed">;
  /** Lets the machine run, whether or not anybody still waits for it; never rejects. */
  goOn(): Promise<void>;
  /** Asks QEMU to end, without waiting for an answer. */
  quit(): void;
}

/** Starts to speak with QEMU over `stream`. */
export function openControl(stream: Duplex): Control {
  const waiters = new Map<number, Waiter>();
  let lastId = 0;
  let open = true;
  let shutdownReason: string | null = null;
  let end = () => {};
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });

  let migration: Waiter | null = null;

  function send(command: string, args?: CommandArguments): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (!open) return reject(gone(command));
      const id = ++lastId;
      waiters.set(id, { command, resolve, reject });
      stream.write(`${JSON.stringify({ execute: command, id, arguments: args })}\n`);
    });
  }

  function receive(line: string): void {
    const message = parseMessage(line);
    if (message === null) return;
    if (message.event === "SHUTDOWN") shutdownReason = message.reason;
    if (message.event === "MIGRATION") {
      const { status } = message;
      if (status === "completed" || status === "failed") {
        migration?.resolve(status);
        migration = null;
      }
    }
    const waiter = message.id === null ? undefined : waiters.get(message.id);
    if (waiter === undefined || message.id === null) return;
    waiters.delete(message.id);
    if (message.error === null) waiter.resolve(message.value);
    else waiter.reject(refused(waiter.command, message.error));
  }

  function close(): void {
    open = false;
    for (const waiter of waiters.values()) waiter.reject(gone(waiter.command));
    waiters.clear();
    migration?.reject(gone("migrate"));
    migration = null;
    end();
  }

  readLines(stream, receive, close);
  // QEMU reads this as soon as it listens; waiting for the greeting would cost a round trip.
  const ready = send("qmp_capabilities").then(() => {});
  ready.catch(() => {});
  return {
    ready,
    ended,
    shutdownReason: () => shutdownReason,
    execute: (op, command, args) => op.race(send(command, args)),
    migrationEnd() {
      const ended = new Promise<unknown>((resolve, reject) => {
        migration = { command: "migrate", resolve, reject };
      });
      ended.catch(() => {});
      return ended as Promise<"completed" | "failed">;
    },
    goOn: () =>
      send("cont").then(
        () => {},
        () => {},
      ),
    quit() {
      send("quit").catch(() => {});
    },
  };
}

function readLines(stream: Duplex, onLine: (line: string) => void, onEnd: () => void): void {
  let rest = "";
  stream.setEncoding("utf8");
  stream.on("data", (text: string) => {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) onLine(line);
    if (rest.length > lineBytesMax) stream.destroy();
  });
  stream.on("error", () => {});
  stream.once("close", onEnd);
}

interface Message {
  readonly id: number | null;
  readonly event: string | null;
  readonly reason: string | null;
  readonly status: string | null;
  readonly value: unknown;
  readonly error: string | null;
}

/** Null for what is not an object: QEMU never sends that, and a fault there must not hurt us. */
function parseMessage(line: string): Message | null {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return null;
  }
  const { id, event, data, error, return: result } = asRecord(value);
  const { reason, status } = asRecord(data);
  const { desc } = asRecord(error);
  return {
    id: typeof id === "number" ? id : null,
    event: typeof event === "string" ? event : null,
    reason: typeof reason === "string" ? reason : null,
    status: typeof status === "string" ? status : null,
    value: result,
    error: error === undefined ? null : typeof desc === "string" ? desc : "no description",
  };
}

function asRecord(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}

function refused(command: string, description: string): MicroagentError {
  return new MicroagentError("vmm_failed", `QEMU refused command "${command}": ${description}`);
}

function gone(command: string): MicroagentError {
  return new MicroagentError("vmm_failed", `QEMU ended before it answered command "${command}"`);
}
