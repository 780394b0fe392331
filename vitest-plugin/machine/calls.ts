import { MicroagentError, type Op, type Workspace } from "../../src/index.ts";
import { type ExecOptions, type ExecResult, runCommand } from "./exec.ts";
import type { CallBound, Life } from "./life.ts";
import { Transcript } from "./transcript.ts";

/** What is behind a machine's calls. */
export interface Callee {
  readonly name: string;
  readonly shell: string;
  /** Of every command, over the image's. */
  readonly env: Readonly<Record<string, string>>;
  readonly life: Life;
}

/** How a machine's calls are made: on the workspace that it has now, in the time of its test, and written down. */
export abstract class Calls {
  readonly name: string;
  /** What was done with it, for when the test fails. */
  readonly transcript: Transcript = new Transcript();
  readonly #callee: Callee;
  #life: Life;
  #current: Workspace;
  #over: string | null = null;
  #touched = false;

  constructor(callee: Callee, workspace: Workspace) {
    this.name = callee.name;
    this.#callee = callee;
    this.#life = callee.life;
    this.#current = workspace;
  }

  /** The engine's own view of it, for what has no verb here. */
  get workspace(): Workspace {
    if (this.#over !== null) {
      throw new MicroagentError("closed", `Machine "${this.name}" is gone: ${this.#over}`);
    }
    this.#touched = true;
    return this.#current;
  }

  /** The file that the guest kernel's console is written to. */
  get consolePath(): string {
    return this.#current.directory.consolePath;
  }

  get consoleTail(): string {
    return this.#current.consoleTail();
  }

  /** Resolves when the machine has ended, with how. */
  get exit(): Workspace["exit"] {
    return this.#current.exit;
  }

  /** Why it is gone; null while it is there. */
  get over(): string | null {
    return this.#over;
  }

  /** From now on its calls have another test's time. */
  live(life: Life): void {
    this.#life = life;
  }

  /** Whether anything was asked of it since the last time. */
  takeTouched(): boolean {
    const touched = this.#touched;
    this.#touched = false;
    return touched;
  }

  protected get life(): Life {
    return this.#life;
  }

  /** The workspace, also when the machine is gone. */
  protected get current(): Workspace {
    return this.#current;
  }

  protected become(next: Workspace): void {
    this.#current = next;
  }

  /** Ends its calls, with the first reason that was given. */
  protected forbid(reason: string): void {
    this.#over ??= reason;
  }

  protected async run(
    argv: readonly string[],
    shown: string,
    options: ExecOptions,
    transcript: Transcript = this.transcript,
  ): Promise<ExecResult> {
    const env = { ...this.#callee.env, ...options.env };
    const given = { ...options, env };
    return await runCommand(this.workspace, this.#life, transcript, { argv, shown }, given);
  }

  /** A command that is repeated: it does not fill the transcript. */
  protected async quietly(script: string, bound: CallBound): Promise<ExecResult> {
    return await this.run([this.#callee.shell, "-c", script], script, bound, new Transcript());
  }

  protected async io<T>(name: string, work: (op: Op) => Promise<T>): Promise<T> {
    return await this.#life.during(name, {}, this.#life.timeouts.exec, work);
  }

  protected async verb<T>(name: string, work: (op: Op) => Promise<T>): Promise<T> {
    return await this.noted(`(${name})`, () =>
      this.#life.during(name, {}, this.#life.timeouts.boot, work),
    );
  }

  protected async noted<T>(what: string, work: () => Promise<T>): Promise<T> {
    const entry = this.transcript.begin(what);
    try {
      const value = await work();
      entry.done();
      return value;
    } catch (error) {
      entry.fail(error);
      throw error;
    }
  }
}
