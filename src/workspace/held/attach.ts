import { join } from "node:path";
import { z } from "zod";
import { Agent } from "../../agent/agent.ts";
import type { Execution } from "../../agent/exec.ts";
import type { GetOptions } from "../../agent/get.ts";
import type { PutOptions } from "../../agent/put.ts";
import { type RunOptions, type RunResult, runToEnd } from "../../agent/run.ts";
import type { TransferSummary, TreeEntry, TreeItem } from "../../agent/tree.ts";
import type { TreeReader } from "../../agent/tree-reader.ts";
import { isMicroagentError, MicroagentError } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import { type Op, startOp } from "../../base/op.ts";
import type { ChannelStream } from "../../channel/stream.ts";
import type { StateLayout } from "../../host/state-layout.ts";
import { dialUnix } from "../../host/unix-socket.ts";
import type { GuestCommand } from "../guest-command.ts";
import type { ReachableGuest } from "../reachable-guest.ts";
import type { ControlVerb } from "./control-server.ts";
import { socketFile } from "./holder.ts";
import { homeOf, requireRecord } from "./record.ts";
import { type CurrentState, currentState, liveStates } from "./state.ts";
import { decodeError } from "./wire-error.ts";
import { wrongState } from "./wrong-state.ts";

/** How long a workspace's process may take to say hello. */
const helloMs = 10_000;
/** How long a machine's end may take to be written down after its connections broke. */
const lastWordMs = 3_000;
const pollMs = 25;

/**
 * A running workspace that another process holds. Closing it closes the connection and whatever was started over it;
 * the workspace runs on. Calls fail with `wrong_state` when the workspace has ended or is paused, and with why it
 * failed when it did.
 */
export class AttachedWorkspace implements ReachableGuest, AsyncDisposable {
  readonly name: string;
  readonly agent: Agent;
  readonly #layout: StateLayout;

  constructor(layout: StateLayout, name: string, agent: Agent) {
    this.#layout = layout;
    this.name = name;
    this.agent = agent;
  }

  /** Starts a command; resolves when it runs, `exec_not_started` when it cannot. */
  async exec(op: Op, command: GuestCommand): Promise<Execution> {
    return await this.explaining(
      "running a command",
      this.agent.exec(op, {
        argv: command.argv,
        env: Object.entries(command.env ?? {}).map(([key, value]) => `${key}=${value}`),
        // What is empty comes from the image: the process that holds the workspace knows it.
        cwd: command.cwd ?? "",
        user: command.user ?? "",
        stdin: command.stdin ?? false,
        tty: command.tty ?? null,
        timeoutMs: command.timeoutMs ?? null,
      }),
    );
  }

  /** Runs a command to its end and keeps the beginning of its output; killed when `op` ends. */
  async run(op: Op, command: GuestCommand, options: RunOptions = {}): Promise<RunResult> {
    const { argv } = command;
    const request = { argv, env: [], cwd: "", user: "", stdin: false, tty: null, timeoutMs: null };
    const start = ({ stdin }: { readonly stdin: boolean }) => this.exec(op, { ...command, stdin });
    return await this.explaining("running a command", runToEnd(op, start, request, options));
  }

  /** Writes a tree at a guest path. */
  async put(
    op: Op,
    path: string,
    tree: AsyncIterable<TreeItem>,
    options: PutOptions = {},
  ): Promise<TransferSummary> {
    return await this.explaining("copying files in", this.agent.put(op, path, tree, options));
  }

  /** Reads a tree from a guest path, within caps that default to those of outputs. */
  async get(op: Op, path: string, options: GetOptions = {}): Promise<TreeReader> {
    return await this.explaining("copying files out", this.agent.get(op, path, options));
  }

  async stat(
    op: Op,
    path: string,
    options: { readonly follow?: boolean } = {},
  ): Promise<TreeEntry> {
    return await this.explaining("looking at a file", this.agent.stat(op, path, options));
  }

  /** Connects to a TCP port of the guest; whoever gets the stream ends it. */
  async connectPort(op: Op, port: number): Promise<ChannelStream> {
    return await this.explaining("connecting to a port", this.agent.connectPort(op, port));
  }

  /** Freezes the machine with everything in it. */
  async pause(op: Op): Promise<void> {
    await this.#control(op, { op: "hold.pause" });
  }

  async resume(op: Op): Promise<void> {
    await this.#control(op, { op: "hold.resume" });
  }

  /** Saves the machine, which goes on, under a name of its workspace's own. `name_taken`. */
  async snapshot(op: Op, tag: string): Promise<SavedReport> {
    return savedSchema.parse(await this.#control(op, { op: "hold.snapshot", tag }));
  }

  /** Powers the guest off in good order. `timeout` when it will not go; it then runs on as it can. */
  async halt(op: Op, options: { reason?: string | null; withinMs?: number } = {}): Promise<void> {
    const { reason = null, withinMs = haltMs } = options;
    await this.#control(op, { op: "hold.halt", reason, within_ms: withinMs });
  }

  /** Ends the machine at once. */
  async kill(op: Op, reason: string | null): Promise<void> {
    await this.#control(op, { op: "hold.kill", reason });
  }

  async state(): Promise<CurrentState> {
    return await currentState(this.#layout, this.name);
  }

  /** Settles as `work` does, but a workspace that has ended meanwhile says how. */
  async explaining<T>(doing: string, work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      throw await this.#explained(error, doing);
    }
  }

  close(): void {
    this.agent.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.close();
    return Promise.resolve();
  }

  async #control(op: Op, verb: ControlVerb): Promise<unknown> {
    const stream = await this.explaining("being controlled", this.agent.relay(op, verb));
    try {
      const reply = replySchema.parse(
        await this.explaining("being controlled", readLine(op, stream)),
      );
      if (reply.ok) return reply;
      throw decodeError(reply.error);
    } finally {
      stream.reset();
    }
  }

  async #explained(error: unknown, doing: string): Promise<unknown> {
    if (!isMicroagentError(error)) return error;
    if (error.code === "guest_refused" && error.details.guestCode === "unable") {
      return wrongState(this.name, (await this.state()).state, "do this");
    }
    if (error.code !== "channel_closed") return error;
    // The op may be over by now; what happened is told all the same.
    const { op, end } = startOp("explain", { timeoutMs: lastWordMs });
    try {
      for (;;) {
        const now = await this.state();
        if (!liveStates.includes(now.state)) return endedWhile(this.name, now, doing, error);
        await op.sleep(pollMs);
      }
    } catch {
      return error;
    } finally {
      end();
    }
  }
}

/** What an orderly end may take. */
export const haltMs = 10_000;

/** A machine that was saved. */
export interface SavedReport {
  readonly tag: string;
  readonly created_at: string;
  /** Files of secrets were overwritten before, and delivered again afterwards. */
  readonly secrets_purged: boolean;
}

const savedSchema: z.ZodType<SavedReport> = z.object({
  tag: z.string(),
  created_at: z.string(),
  secrets_purged: z.boolean(),
});
const replySchema = z.discriminatedUnion("ok", [
  z.looseObject({ ok: z.literal(true) }),
  z.object({ ok: z.literal(false), error: z.unknown() }),
]);

/** A workspace that another process holds. `workspace_not_found`, `wrong_state` when it does not run. */
export async function attachWorkspace(
  op: Op,
  layout: StateLayout,
  name: string,
): Promise<AttachedWorkspace> {
  await requireRecord(layout, name);
  for (;;) {
    const now = await currentState(layout, name);
    if (!liveStates.includes(now.state)) throw endedBefore(name, now);
    try {
      const socket = await dialUnix(op, join(homeOf(layout, name), socketFile));
      const agent = await op.step("attach", (step) => Agent.connect(step, socket), {
        timeoutMs: helloMs,
      });
      return new AttachedWorkspace(layout, name, agent);
    } catch (error) {
      op.check();
      if (now.state !== "starting") {
        const then = await currentState(layout, name);
        throw liveStates.includes(then.state) ? unreachable(name, error) : endedBefore(name, then);
      }
    }
    // It is being started by somebody else: it will be there, or it will have failed.
    await op.sleep(pollMs);
  }
}

async function readLine(op: Op, stream: ChannelStream): Promise<unknown> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for (let part = await stream.read(op); part !== null; part = await stream.read(op)) {
    parts.push(part);
    bytes += part.length;
    if (bytes > limits.channel.headerBytesMax) break;
  }
  try {
    return JSON.parse(Buffer.concat(parts).toString("utf8"));
  } catch {
    throw new MicroagentError("channel_closed", "The workspace's process ended before its answer");
  }
}

function endedBefore(name: string, now: CurrentState): MicroagentError {
  const error = wrongState(name, now.state, "be reached");
  const { reason } = now;
  if (reason === null) return error;
  const { hint, details } = error;
  return new MicroagentError("wrong_state", `${error.message}: ${reason}`, { hint, details });
}

function endedWhile(
  name: string,
  now: CurrentState,
  doing: string,
  cause: unknown,
): MicroagentError {
  const { error, reason, state } = now;
  if (error !== null) {
    const { message, ...known } = decodeError(error);
    return new MicroagentError(known.code, message, { ...known, cause });
  }
  const why = reason === null ? "" : `: ${reason}`;
  const code = state === "failed" ? "machine_killed" : "wrong_state";
  return new MicroagentError(
    code,
    `Workspace "${name}" is ${state} since it ended while ${doing}${why}`,
    {
      cause,
      details: { name, state },
    },
  );
}

function unreachable(name: string, cause: unknown): MicroagentError {
  return new MicroagentError(
    "host_tool_failed",
    `The process of workspace "${name}" is not reached`,
    {
      cause,
      hint: `End it with: microagent kill ${name} --reason TEXT`,
    },
  );
}
