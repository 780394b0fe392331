import { CleanupStack } from "../../base/cleanup.ts";
import { asMicroagentError, MicroagentError } from "../../base/errors.ts";
import { type Clock, type Op, startOp } from "../../base/op.ts";
import { environmentOf } from "../command.ts";
import type { Engine } from "../engine.ts";
import type { Workspace } from "../workspace.ts";
import { renewalFor } from "./renewal.ts";
import type { PoolOptions, Template, TemplatePool } from "./template.ts";
import { warmUp } from "./warm-up.ts";

/**
 * Keeps clones of a template ahead of demand, paused: taking one costs a wake-up and a new identity. They
 * are made one after the other in the background. Dispose of the pool to end those that wait; those
 * that were taken belong to whoever took them.
 */
export function openTemplatePool(
  engine: Engine,
  template: Template,
  options: PoolOptions,
): TemplatePool {
  if (!Number.isInteger(options.size) || options.size < 1) {
    throw new MicroagentError(
      "invalid_argument",
      `Pool size is "${options.size}", wanted a whole number from 1`,
    );
  }
  return new Pool(engine, template, options);
}

/** Longer than a hand-over with a first command takes. */
const refillPauseMs = 100;

class Pool implements TemplatePool {
  readonly #engine: Engine;
  readonly #template: Template;
  readonly #options: PoolOptions;
  readonly #ready: Workspace[] = [];
  readonly #controller = new AbortController();
  /** Callers that found the pool empty, in order. */
  readonly #waiting: ((workspace: Workspace | Error) => void)[] = [];
  #filling: Promise<void> | null = null;
  #made = 0;
  #cancelLater: () => void = () => {};
  #failure: Error | null = null;
  #closed = false;

  constructor(engine: Engine, template: Template, options: PoolOptions) {
    this.#engine = engine;
    this.#template = template;
    this.#options = options;
    this.#fill();
  }

  get readyCount(): number {
    return this.#ready.length;
  }

  async take(op: Op): Promise<Workspace> {
    for (;;) {
      op.check();
      if (this.#closed) throw new MicroagentError("closed", "The pool is closed");
      const waiting = this.#ready.shift();
      if (waiting === undefined) return await this.#next(op);
      this.#fillLater(op.clock);
      try {
        return await this.#wake(op, waiting);
      } catch {
        // One that died while it waited is nobody's loss: there is another, or one is made.
        op.check();
      }
    }
  }

  async filled(op: Op): Promise<void> {
    this.#fill();
    while (this.#filling !== null) await op.race(this.#filling);
    if (this.#failure !== null) throw this.#failure;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#cancelLater();
    this.#controller.abort(new MicroagentError("closed", "The pool is closed"));
    for (const give of this.#waiting.splice(0)) {
      give(new MicroagentError("closed", "The pool is closed"));
    }
    await this.#filling;
    for (const workspace of this.#ready.splice(0).reverse()) await workspace.close();
  }

  /** The next clone that is made, for a caller who found none. */
  async #next(op: Op): Promise<Workspace> {
    let give: (workspace: Workspace | Error) => void = () => {};
    const given = new Promise<Workspace | Error>((resolve) => {
      give = resolve;
    });
    this.#waiting.push(give);
    this.#failure = null;
    this.#fill();
    try {
      const workspace = await op.race(given);
      if (workspace instanceof Error) throw workspace;
      return await this.#wake(op, workspace);
    } catch (error) {
      const at = this.#waiting.indexOf(give);
      if (at >= 0) this.#waiting.splice(at, 1);
      // Given to a caller who has gone meanwhile.
      else if (op.signal.aborted) void given.then((late) => this.#keepOrClose(late));
      throw error;
    }
  }

  #keepOrClose(late: Workspace | Error): void {
    if (late instanceof Error) return;
    if (this.#closed || this.#ready.length >= this.#options.size) void late.close();
    else this.#ready.push(late);
  }

  async #wake(op: Op, workspace: Workspace): Promise<Workspace> {
    try {
      // It has stood for a while: the clock is wrong, and what is drawn now must be its own. The guest finds the words
      // when it wakes.
      const renewal = renewalFor(op.clock, workspace.hostname, workspace.attachments);
      await Promise.all([workspace.agent.resume(op, renewal), workspace.resume(op)]);
      return workspace;
    } catch (error) {
      await workspace.close();
      throw error;
    }
  }

  /** Making another takes a processor: whoever has just taken one has it first. */
  #fillLater(clock: Clock): void {
    this.#cancelLater();
    this.#cancelLater = clock.after(refillPauseMs, () => this.#fill());
  }

  #fill(): void {
    this.#cancelLater();
    if (this.#filling !== null || this.#closed || this.#failure !== null) return;
    if (this.#missing <= 0) return;
    this.#filling = this.#makeAll().finally(() => {
      this.#filling = null;
      this.#fill();
    });
  }

  get #missing(): number {
    return this.#options.size + this.#waiting.length - this.#ready.length;
  }

  async #makeAll(): Promise<void> {
    try {
      while (this.#missing > 0 && !this.#closed) this.#hand(await this.#make());
    } catch (error) {
      const failure = asMicroagentError(error);
      if (!this.#closed) this.#failure = failure;
      for (const give of this.#waiting.splice(0)) give(failure);
    }
  }

  #hand(workspace: Workspace): void {
    const give = this.#waiting.shift();
    if (give !== undefined) give(workspace);
    else this.#ready.push(workspace);
  }

  async #make(): Promise<Workspace> {
    const { op, end } = startOp("pool/clone", { signal: this.#controller.signal });
    await using undo = new CleanupStack();
    try {
      const request = this.#options.clone(this.#made++);
      // Programs open the door without opening pools: they do not wait for this.
      const { cloneTemplate } = await import("./clone.ts");
      const workspace = await cloneTemplate(op, this.#engine, this.#template, request);
      undo.defer(() => workspace.close());
      if (this.#options.warm !== false) {
        const { shell, env } = this.#template.request;
        const variables = environmentOf(workspace.report.image.config, env);
        // The second one goes the way that commands go which are over in a moment.
        await warmUp(op, workspace, shell, variables);
        await warmUp(op, workspace, shell, variables);
      }
      await workspace.pause(op);
      undo.release();
      return workspace;
    } finally {
      end();
    }
  }
}
