import { z } from "zod";
import type { StateLayout } from "../../host/state-layout.ts";

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
}

export interface StartChange {
  readonly memoryMib?: number | undefined;
  readonly cpus?: number | undefined;
  readonly kernel?: string | undefined;
}

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
    }),
  }),
});

/** Null when a message is no order. */
export function parseOrder(message: unknown): Order | null {
  return orderSchema.safeParse(message).data ?? null;
}

/** What the process says until the workspace runs. */
export type HolderWord =
  | { readonly kind: "progress"; readonly event: unknown }
  | { readonly kind: "output"; readonly stream: "stdout" | "stderr"; readonly data: string }
  | { readonly kind: "ready" }
  | { readonly kind: "failed"; readonly error: unknown };

const wordSchema: z.ZodType<HolderWord> = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("progress"), event: z.unknown() }),
  z.object({ kind: z.literal("output"), stream: z.enum(["stdout", "stderr"]), data: z.string() }),
  z.object({ kind: z.literal("ready") }),
  z.object({ kind: z.literal("failed"), error: z.unknown() }),
]);

export function parseWord(message: unknown): HolderWord | null {
  return wordSchema.safeParse(message).data ?? null;
}
