import { z } from "zod";
import type { StateLayout } from "../../host/state-layout.ts";
import type { DirectoryIn, DirectoryOut } from "../directories.ts";
import type { Phase } from "../run-command.ts";

/** What a fresh process is told before it holds a workspace. It goes over a descriptor, never over a disk. */
export interface Order {
  readonly layout: StateLayout;
  readonly name: string;
  /** The environment of whoever orders: references to secrets may name variables of it. */
  readonly env: Readonly<Record<string, string>>;
  readonly start: StartOrder;
}

export interface StartOrder {
  /** A saved machine to start from; null boots from the disk. */
  readonly from: { readonly workspace: string; readonly tag: string } | null;
  /** Replaces what the workspace's record says, for this start. */
  readonly change: StartChange;
  /** Run the plan once as a one-shot run, and keep the machine; null starts the workspace. */
  readonly run: RunOrder | null;
}

/** What is copied in and out besides what the plan says. */
export interface RunOrder {
  readonly directoriesIn: readonly DirectoryIn[];
  readonly directoriesOut: readonly DirectoryOut[];
}

export interface StartChange {
  readonly memoryMib?: number | undefined;
  readonly cpus?: number | undefined;
  readonly kernel?: string | undefined;
  /** As in a workspace's record. */
  readonly ttlSeconds?: number | undefined;
}

const directories = z.array(z.object({ hostPath: z.string(), guestPath: z.string() }));
const orderSchema: z.ZodType<Order> = z.object({
  layout: z.object({
    root: z.string(),
    workspaces: z.string(),
    images: z.string(),
    kernels: z.string(),
    locks: z.string(),
    leases: z.string(),
    cache: z.string(),
    runtime: z.string(),
    templates: z.string(),
    snapshots: z.string(),
  }),
  name: z.string(),
  env: z.record(z.string(), z.string()),
  start: z.object({
    from: z.object({ workspace: z.string(), tag: z.string() }).nullable(),
    change: z.object({
      memoryMib: z.number().optional(),
      cpus: z.number().optional(),
      kernel: z.string().optional(),
      ttlSeconds: z.number().optional(),
    }),
    run: z.object({ directoriesIn: directories, directoriesOut: directories }).nullable(),
  }),
});

/** Null when a message is no order. */
export function parseOrder(message: unknown): Order | null {
  return orderSchema.safeParse(message).data ?? null;
}

/** What the process says until the workspace runs. */
export type HolderWord =
  | { readonly kind: "progress"; readonly event: unknown }
  | {
      readonly kind: "output";
      readonly phase: Phase;
      readonly stream: "stdout" | "stderr";
      readonly data: string;
    }
  /** How a one-shot run ended; "ready" follows when its machine stays. */
  | { readonly kind: "result"; readonly result: unknown }
  | { readonly kind: "ready" }
  | { readonly kind: "failed"; readonly error: unknown };

const wordSchema: z.ZodType<HolderWord> = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("progress"), event: z.unknown() }),
  z.object({
    kind: z.literal("output"),
    phase: z.enum(["setup", "run"]),
    stream: z.enum(["stdout", "stderr"]),
    data: z.string(),
  }),
  z.object({ kind: z.literal("result"), result: z.unknown() }),
  z.object({ kind: z.literal("ready") }),
  z.object({ kind: z.literal("failed"), error: z.unknown() }),
]);

export function parseWord(message: unknown): HolderWord | null {
  return wordSchema.safeParse(message).data ?? null;
}

const cancelSchema = z.object({
  kind: z.literal("cancel"),
  signal: z.enum(["SIGHUP", "SIGINT", "SIGTERM"]).nullable(),
});

/** The signal that whoever started the process was ended by; null for anything else that he may say. */
export function parseCancel(message: unknown): z.infer<typeof cancelSchema>["signal"] {
  return cancelSchema.safeParse(message).data?.signal ?? null;
}
