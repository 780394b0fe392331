import { join } from "node:path";
import type { Duplex } from "node:stream";
import { z } from "zod";
import { MicroagentError } from "../../base/errors.ts";
import type { Op, ProgressBody } from "../../base/op.ts";
import { fullChildEnvironment } from "../../host/environment.ts";
import type { StateLayout } from "../../host/state-layout.ts";
import { MessageStream } from "./message-stream.ts";
import { parseWord, type StartOrder } from "./order.ts";
import { homeOf } from "./record.ts";
import { decodeError } from "./wire-error.ts";

/** Starts a process for a workspace and gives its channel; its own words go to the log. */
export type Launch = (logPath: string) => Promise<Duplex>;

export interface LaunchOptions {
  /** Takes what setup prints. */
  readonly onOutput?:
    | ((stream: "stdout" | "stderr", data: Uint8Array) => void | Promise<void>)
    | undefined;
}

/**
 * Starts the process that holds a workspace and resolves when the workspace runs. When `op` ends before, the start is
 * undone. Throws what kept it from running.
 */
export async function launchHolder(
  op: Op,
  layout: StateLayout,
  name: string,
  start: StartOrder,
  launch: Launch,
  options: LaunchOptions = {},
): Promise<void> {
  const channel = await launch(join(homeOf(layout, name), "holder.log"));
  const holder = new MessageStream(channel);
  try {
    await holder.send(op, { layout, name, env: fullChildEnvironment(), start });
    await op.race(untilReady(op, holder, name, options));
  } finally {
    // Before it runs, this tells the process to undo what it has begun.
    holder.close();
  }
}

async function untilReady(
  op: Op,
  holder: MessageStream,
  name: string,
  options: LaunchOptions,
): Promise<void> {
  for await (const message of holder.messages()) {
    const word = parseWord(message);
    switch (word?.kind) {
      case "progress":
        reportFrom(op, word.event);
        break;
      case "output":
        await options.onOutput?.(word.stream, Buffer.from(word.data, "base64"));
        break;
      case "failed":
        throw decodeError(word.error);
      case "ready":
        return;
    }
  }
  throw new MicroagentError("internal", `The process of workspace "${name}" ended at its start`, {
    hint: `Its own words are in "holder.log" in the workspace's directory: microagent status ${name}`,
  });
}

/** What is worth telling; the steps of another process are no steps of ours. */
function reportFrom(op: Op, event: unknown): void {
  const told = eventSchema.safeParse(event).data;
  if (told !== undefined) op.report(told);
}

const eventSchema: z.ZodType<ProgressBody> = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("note"), text: z.string() }),
  z.object({ kind: z.literal("warning"), text: z.string() }),
  z.object({
    kind: z.literal("amount"),
    label: z.string(),
    done: z.number(),
    total: z.number().nullable(),
    unit: z.enum(["bytes", "items"]),
  }),
]);
