import { asMicroagentError, MicroagentError } from "../../base/errors.ts";
import { type Op, startOp } from "../../base/op.ts";
import type { DetachedProcess } from "../../host/detached-process.ts";
import type { StateLayout } from "../../host/state-layout.ts";
import type { Engine } from "../engine.ts";
import { holdWorkspace } from "./holder.ts";
import { MessageStream } from "./message-stream.ts";
import { type HolderWord, type Order, parseCancel, parseOrder } from "./order.ts";
import { encodeError } from "./wire-error.ts";
import { encodeResult } from "./wire-result.ts";

/**
 * The whole life of a process that holds a workspace: one order, the start, and then until the workspace has ended.
 * Whoever gave the order may go once it runs; when he goes before, the start is broken off. Returns the exit code.
 */
export async function serveOrder(
  own: Pick<DetachedProcess, "channel" | "stop" | "takeEnvironment">,
  createEngine: (layout: StateLayout) => Engine,
): Promise<number> {
  const starter = new MessageStream(own.channel);
  const talk = startOp("talk").op;
  const say = (word: HolderWord) => starter.send(talk, word).catch(() => {});
  const messages = starter.messages();
  const order = parseOrder(await nextOf(messages));
  if (order === null) {
    await say({ kind: "failed", error: encodeError(noOrder()) });
    return 1;
  }
  own.takeEnvironment(order.env);
  const gone = new AbortController();
  // A one-shot run is told by what it is ended; any other start is broken off.
  void lastMessage(messages).then((signal) => gone.abort({ signal: signal ?? "SIGHUP" }));
  const onProgress = (event: unknown) => void say({ kind: "progress", event });
  const { op, end } = startOp("start", { signal: gone.signal, onProgress });
  try {
    const signals = { stop: own.stop, cancel: gone.signal };
    await hold(op, createEngine(order.layout), order, signals, say, () => {
      end();
      starter.close();
    });
    return 0;
  } catch (error) {
    const known = asMicroagentError(error);
    await say({ kind: "failed", error: encodeError(known) });
    own.channel.end();
    return 1;
  } finally {
    end();
  }
}

async function hold(
  op: Op,
  engine: Engine,
  order: Order,
  signals: { readonly stop: AbortSignal; readonly cancel: AbortSignal },
  say: (word: HolderWord) => Promise<void>,
  onRunning: () => void,
): Promise<void> {
  await holdWorkspace(op, engine, order.name, order.start, {
    ...signals,
    onOutput: (phase, stream, data) =>
      say({ kind: "output", phase, stream, data: Buffer.from(data).toString("base64") }),
    onProgress: (event) => void say({ kind: "progress", event }),
    onResult: (result) => say({ kind: "result", result: encodeResult(result) }),
    async onReady() {
      await say({ kind: "ready" });
      onRunning();
    },
  });
}

/** Waits for the only other thing that whoever gave the order may say, or until he has gone. */
async function lastMessage(messages: AsyncGenerator<unknown>) {
  return parseCancel(await nextOf(messages));
}

/** Null when the other side has gone, in whatever way. */
async function nextOf(messages: AsyncGenerator<unknown>): Promise<unknown> {
  const next = await messages.next().catch(() => null);
  return next?.value ?? null;
}

function noOrder(): MicroagentError {
  return new MicroagentError("internal", "The workspace's process was given no order");
}
