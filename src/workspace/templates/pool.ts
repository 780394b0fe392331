import { CleanupStack } from "../../base/cleanup.ts";
import { asMicroagentError, MicroagentError } from "../../base/errors.ts";
import { type Clock, type Op, realClock, startOp } from "../../base/op.ts";
import { environmentOf } from "../command.ts";
import type { Engine } from "../engine.ts";
import type { Workspace } from "../workspace.ts";
import { renewalFor } from "./renewal.ts";
import type { CloneRequest, PoolOptions, TakenClone, Template, TemplatePool } from "./template.ts";
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
  if (typeof options.size === "number" && (!Number.isInteger(options.size) || options.size < 1)) {
    throw new MicroagentError(
      "invalid_argument",
      `Pool size is "${options.size}", wanted a whole number from 1`,
    );
  }
  return new Pool(engine, template, options);
}

/** Longer than a hand-over with a first command takes. */
const refillPauseMs = 100;
/** What is under way in a guest when it is paused is in the way of its first command. */
const restMs = 50;

/** A clone that stands, with its room. */
interface Standing {
  readonly place: AsyncDisposable | null;
  wake(op: Op): Promise<Workspace>;
  close(): Promise<void>;
}

class Pool implements TemplatePool {
  readonly #engine: Engine;
  readonly #template: Template;
  readonly #options: PoolOptions;
  readonly #ready: Standing[] = [];
  readonly #controller = new AbortController();
  /** Callers that found the pool empty, in order. */
  readonly #waiting: ((clone: Standing | Error) => void)[] = [];
  #filling: Promise<void> | null = null;
  #made = 0;
  #cancelLater: () => void = () => {};
  #failure: Error | null = null;
  /** There was no room for another, and nobody has asked since. */
  #cramped = false;
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
    const { workspace, place } = (await this.takeReady(op)) ?? (await this.#next(op));
    if (place !== null) void workspace.exit.then(() => place[Symbol.asyncDispose]());
    return workspace;
  }

  async takeReady(op: Op): Promise<TakenClone | null> {
    for (;;) {
      op.check();
      if (this.#closed) throw new MicroagentError("closed", "The pool is closed");
      const standing = this.#ready.shift();
      if (standing === undefined) return null;
      this.#fillLater(op.clock);
      try {
        return { workspace: await standing.wake(op), place: standing.place };
      } catch {
        await standing.close();
        // One that died while it waited is nobody's loss: there is another, or one is made.
        op.check();
      }
    }
  }

  async makeWay(): Promise<boolean> {
    const standing = this.#ready.pop();
    await standing?.close();
    return standing !== undefined;
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
    for (const standing of this.#ready.splice(0).reverse()) await standing.close();
  }

  /** The next clone that is made, for a caller who found none. */
  async #next(op: Op): Promise<TakenClone> {
    let give: (clone: Standing | Error) => void = () => {};
    const given = new Promise<Standing | Error>((resolve) => {
      give = resolve;
    });
    this.#waiting.push(give);
    this.#failure = null;
    this.#cramped = false;
    this.#fill();
    try {
      const standing = await op.race(given);
      if (standing instanceof Error) throw standing;
      return { workspace: await standing.wake(op), place: standing.place };
    } catch (error) {
      const at = this.#waiting.indexOf(give);
      if (at >= 0) this.#waiting.splice(at, 1);
      // Given to a caller who has gone meanwhile.
      else if (op.signal.aborted) void given.then((late) => this.#keepOrClose(late));
      throw error;
    }
  }

  #keepOrClose(late: Standing | Error): void {
    if (late instanceof Error) return;
    if (this.#closed || this.#ready.length >= this.#size) void late.close();
    else this.#ready.push(late);
  }

  /** Making another takes a processor: whoever has just taken one has it first. */
  #fillLater(clock: Clock): void {
    this.#cancelLater();
    this.#cramped = false;
    this.#cancelLater = clock.after(refillPauseMs, () => this.#fill());
  }

  #fill(): void {
    this.#cancelLater();
    if (this.#filling !== null || this.#closed || this.#failure !== null) return;
    if (this.#missing <= 0 || this.#cramped) return;
    this.#filling = this.#makeAll().finally(() => {
      this.#filling = null;
      this.#fill();
    });
  }

  get #size(): number {
    const { size } = this.#options;
    return typeof size === "number" ? size : size();
  }

  get #missing(): number {
    return this.#size + this.#waiting.length - this.#ready.length;
  }

  async #makeAll(): Promise<void> {
    try {
      while (this.#missing > 0 && !this.#closed) {
        const made = await this.#make();
        if (made === null) {
          this.#cramped = true;
          // Whoever waits has a limit of his own; for the others there may be room when they ask.
          if (this.#waiting.length > 0) this.#fillLater(realClock);
          return;
        }
        this.#hand(made);
      }
    } catch (error) {
      const failure = asMicroagentError(error);
      if (!this.#closed) this.#failure = failure;
      for (const give of this.#waiting.splice(0)) give(failure);
    }
  }

  #hand(standing: Standing): void {
    const give = this.#waiting.shift();
    if (give !== undefined) give(standing);
    else this.#ready.push(standing);
  }

  /** Null: there is no room for another. */
  async #make(): Promise<Standing | null> {
    const { op, end } = startOp("pool/clone", { signal: this.#controller.signal });
    await using undo = new CleanupStack();
    try {
      const place = this.#options.place === undefined ? null : await this.#options.place(op);
      if (place === null && this.#options.place !== undefined) return null;
      undo.defer(async () => await place?.[Symbol.asyncDispose]());
      const clone = await this.#stand(op, this.#options.clone(this.#made++));
      undo.defer(() => clone.close());
      const held = undo.release();
      return { place, wake: clone.wake, close: () => held.run() };
    } finally {
      end();
    }
  }

  async #stand(op: Op, request: CloneRequest): Promise<Omit<Standing, "place">> {
    // Programs open the door without opening pools: they do not wait for this.
    const { cloneTemplate, standTemplate } = await import("./clone.ts");
    if (this.#options.warm === false) {
      return await standTemplate(op, this.#engine, this.#template, request);
    }
    await using undo = new CleanupStack();
    const workspace = await cloneTemplate(op, this.#engine, this.#template, request);
    undo.defer(() => workspace.close());
    const { shell, env } = this.#template.request;
    const variables = environmentOf(workspace.report.image.config, env);
    // The second one goes the way that commands go which are over in a moment.
    await warmUp(op, workspace, shell, variables);
    await warmUp(op, workspace, shell, variables);
    await op.sleep(restMs);
    await workspace.pause(op);
    undo.release();
    return {
      close: () => workspace.close(),
      async wake(waking) {
        try {
          // It has stood for a while: the clock is wrong, and what is drawn now must be its own. The guest finds the words
          // when it wakes.
          const renewal = renewalFor(waking.clock, workspace.hostname, workspace.attachments);
          await Promise.all([workspace.agent.resume(waking, renewal), workspace.resume(waking)]);
          return workspace;
        } catch (error) {
          await workspace.close();
          throw error;
        }
      },
    };
  }
}
