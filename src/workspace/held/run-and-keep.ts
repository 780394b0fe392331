import { join } from "node:path";
import { isMicroagentError, MicroagentError } from "../../base/errors.ts";
import { type Op, type Progress, startOp } from "../../base/op.ts";
import { fullChildEnvironment } from "../../host/environment.ts";
import type { RunPlan } from "../../spec/plan.ts";
import { unsupportedError } from "../../spec/unsupported.ts";
import type { DispatchHooks, DispatchResult, Interruption } from "../dispatch.ts";
import type { Engine } from "../engine.ts";
import { checkHostRoom } from "../host-room.ts";
import { planBeside, type RunExtras, tellNotes } from "../run-plan.ts";
import { removeHome, reserveWorkspace } from "./create.ts";
import { MessageStream } from "./message-stream.ts";
import { type HolderWord, parseWord } from "./order.ts";
import { homeOf } from "./record.ts";
import { decodeError } from "./wire-error.ts";
import { decodeResult } from "./wire-result.ts";

/**
 * Runs a plan once, as `runPlanOnce` does, in a process of its own that keeps the machine when the run is over: the
 * workspace takes commands until it is stopped or deleted. A run that was interrupted, or failed around its
 * command, leaves none.
 */
export async function runAndKeep(
  engine: Engine,
  plan: RunPlan,
  hooks: DispatchHooks,
  extras: RunExtras & { readonly ttlSeconds?: number | undefined },
): Promise<DispatchResult> {
  const refusal = unsupportedError(plan);
  if (refusal !== null) throw refusal;
  checkHostRoom(plan);
  tellNotes(plan, hooks);
  const { op, end } = startOp("dispatch", {});
  try {
    const name = await reserve(op, engine, plan, extras.ttlSeconds);
    let stays = false;
    try {
      const told = await underHolder(op, engine, name, hooks, extras);
      stays = told.stays;
      return told.result;
    } finally {
      if (!stays) await removeHome(engine.layout, name);
    }
  } finally {
    end();
  }
}

/** A name that comes with the file says what is run, and the file may well run twice at once. */
async function reserve(
  op: Op,
  engine: Engine,
  plan: RunPlan,
  ttlSeconds: number | undefined,
): Promise<string> {
  try {
    return (await reserveWorkspace(op, engine.layout, plan, ttlSeconds)).name;
  } catch (error) {
    const isTaken = isMicroagentError(error) && error.code === "name_taken";
    if (!isTaken || plan.provenance.name !== "spec") throw error;
    return (await reserveWorkspace(op, engine.layout, planBeside(plan), ttlSeconds)).name;
  }
}

interface Told {
  readonly result: DispatchResult;
  readonly stays: boolean;
}

async function underHolder(
  op: Op,
  engine: Engine,
  name: string,
  hooks: DispatchHooks,
  { directoriesIn = [], directoriesOut = [] }: RunExtras,
): Promise<Told> {
  const { layout } = engine;
  const channel = await engine.launch(join(homeOf(layout, name), "holder.log"));
  const holder = new MessageStream(channel);
  const cancel = () => {
    const { signal = null } = (hooks.signal?.reason ?? {}) as Partial<Interruption>;
    void holder.send(op, { kind: "cancel", signal });
  };
  try {
    const start = { from: null, change: {}, run: { directoriesIn, directoriesOut } };
    await holder.send(op, { layout, name, env: fullChildEnvironment(), start });
    hooks.signal?.addEventListener("abort", cancel, { once: true });
    if (hooks.signal?.aborted === true) cancel();
    return await hear(holder, name, hooks);
  } finally {
    hooks.signal?.removeEventListener("abort", cancel);
    holder.close();
  }
}

async function hear(holder: MessageStream, name: string, hooks: DispatchHooks): Promise<Told> {
  let result: DispatchResult | null = null;
  for await (const message of holder.messages()) {
    const word: HolderWord | null = parseWord(message);
    switch (word?.kind) {
      case "progress":
        hooks.onProgress?.(word.event as Progress);
        break;
      case "output":
        await hooks.onOutput?.(word.phase, word.stream, Buffer.from(word.data, "base64"));
        break;
      case "result":
        result = decodeResult(word.result);
        break;
      case "failed":
        if (result === null) throw decodeError(word.error);
        return { result, stays: false };
      case "ready":
        if (result !== null) return { result, stays: true };
        break;
    }
  }
  if (result !== null) return { result, stays: false };
  throw new MicroagentError("internal", `The process of workspace "${name}" ended in its run`);
}
