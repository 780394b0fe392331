import type { Op } from "../../base/op.ts";
import type { AttachmentRequest } from "../attachments.ts";
import type { BootRequest } from "../boot.ts";
import type { DroppedFile } from "../dispatch.ts";
import type { Workspace } from "../workspace.ts";

/** Everything a template is made from; a change of any part of it is another template. */
export interface TemplateRequest {
  /**
   * `name`, `hostname`, secrets and published ports are the clone's own: they are not part of the key and
   * not there while the template is built.
   */
  readonly boot: BootRequest;
  readonly setup: readonly string[];
  readonly shell: string;
  /** Environment of setup and of the readiness command. No secrets: values reach the guest's memory. */
  readonly env: Readonly<Record<string, string>>;
  /** Written before setup runs. */
  readonly files: readonly DroppedFile[];
  /** Repeated until it ends with 0; null: ready when setup has ended. */
  readonly ready: ReadyCommand | null;
  /** What setup and readiness may take together. */
  readonly setupTimeoutMs: number;
  /** What a program does in the machine itself, after setup and before readiness. */
  readonly prepare?: PrepareStep | undefined;
  /** False where only another process has all that it takes: what cannot be used is removed, and not built anew. */
  readonly buildable?: false | undefined;
  /** Takes what setup prints. */
  readonly onOutput?: ((stream: "stdout" | "stderr", data: Uint8Array) => void) | undefined;
}

export interface PrepareStep {
  /** Changes whenever the step would leave another machine: it is part of the template's key. */
  readonly key: string;
  run(op: Op, workspace: Workspace): Promise<void>;
}

export interface ReadyCommand {
  readonly argv: readonly string[];
  readonly timeoutMs: number;
  readonly everyMs: number;
}

/** A machine that was prepared once and saved; start clones of it with `cloneTemplate`. */
export interface Template {
  /** 64 hex digits over everything that went in. */
  readonly key: string;
  /** True when this call built it. */
  readonly built: boolean;
  /** One sentence: why it was built, or that it was found. */
  readonly reason: string;
  readonly path: string;
  /** What its files take on the disk. */
  readonly sizeBytes: number;
  readonly createdAt: Date;
  readonly request: TemplateRequest;
}

/** What makes a clone another machine than its siblings. */
export interface CloneRequest {
  readonly name: string;
  readonly hostname: string;
  /** Bounds start and first answer. */
  readonly bootMs: number;
  /** Network, published ports and secrets; default: those of the template's request. */
  readonly attach?: AttachmentRequest | undefined;
}

/** What a workspace that came from a template says about it. */
export interface TemplateUse {
  readonly key: string;
  /** `hit`: found; `built`: made by this run; `rebuilt`: the one that was there could not be used. */
  readonly how: "hit" | "built" | "rebuilt";
  readonly reason: string;
}

/** The part that templates had in a run; `skipped` has no key when none was looked for. */
export type RunTemplate =
  | TemplateUse
  | { readonly key: string | null; readonly how: "skipped"; readonly reason: string };

/** Clones kept ahead of demand. */
export interface TemplatePool extends AsyncDisposable {
  /** Clones that wait, ready to be taken. */
  readonly readyCount: number;
  /** A clone for the caller, who closes it: at once from the pool, else as soon as one is made. */
  take(op: Op): Promise<Workspace>;
  /** One that stands ready, at once; null when none does. */
  takeReady(op: Op): Promise<TakenClone | null>;
  /** Ends one that stands ready, for somebody who needs its room; false when none does. */
  makeWay(): Promise<boolean>;
  /** Resolves when the pool is as full as it will be. */
  filled(op: Op): Promise<void>;
}

/** A clone from a pool, with the room it has, which is the taker's now. */
export interface TakenClone {
  readonly workspace: Workspace;
  readonly place: AsyncDisposable | null;
}

export interface PoolOptions {
  /** Clones kept ready, a function when that changes. */
  readonly size: number | (() => number);
  /** Asked for room before each clone is made; null: not now. Default: there is room. */
  readonly place?: ((op: Op) => Promise<AsyncDisposable | null>) | undefined;
  /** Name and hostname of the `index`th clone, counted from 0. */
  readonly clone: (index: number) => CloneRequest;
  /**
   * Runs throw-away commands in each clone first, so that its first real one is fast. Otherwise clones stand as they were
   * saved, in a third less memory, and become machines of their own when they are taken. Default true.
   */
  readonly warm?: boolean | undefined;
}
