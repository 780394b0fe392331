import {
  deleteSnapshot,
  type Engine,
  forkWorkspace,
  MicroagentError,
  type Op,
  passingTag,
  powerOnAgain,
  randomHex,
  snapshotWorkspace,
  startSnapshot,
  type Workspace,
} from "../../src/index.ts";
import type { Callee } from "./calls.ts";
import { type Exec, type ExecOptions, type ExecResult, execForms } from "./exec.ts";
import { Faults } from "./faults.ts";
import type { CallBound } from "./life.ts";
import { type MachinePort, portOf } from "./port.ts";
import { type Spawned, type SpawnOptions, startCommand } from "./spawn.ts";
import { type WaitFor, Waits } from "./wait.ts";

/** What a machine is made with. */
export interface MachineParts extends Callee {
  readonly engine: Engine;
  readonly hostname: string;
  readonly template: string;
  readonly memoryMib: number;
  /** A machine as this one was at its beginning. */
  start(op: Op, name: string, hostname: string): Promise<Workspace>;
  /** Room for so many further machines of this size; gives it back on call. */
  room(count: number): Promise<readonly (() => Promise<void>)[]>;
  /** Hears of machines that this one has made. */
  adopt(machine: Machine, giveBack: () => Promise<void>): void;
  /** The guest's clock when it began, milliseconds since the epoch. */
  readonly begunAtMs: number;
  /** For room in the budget, before it was started. */
  readonly waitedMs: number;
}

/** A real machine in a test. Every call ends with the test, and with the machine. */
export class Machine extends Faults implements AsyncDisposable {
  readonly hostname: string;
  /** The template it was cloned from. */
  readonly template: string;
  readonly memoryMib: number;
  /** How long it was waited for room in the budget, milliseconds. */
  readonly waitedMs: number;
  /**
   * Runs a command: a template through the shell with its values quoted, an argument vector as it is. A
   * failing command is a result, not an error, but for `check: true`.
   */
  readonly exec: Exec;
  readonly waitFor: WaitFor;
  protected readonly begunAtMs: number;
  readonly #parts: MachineParts;
  readonly #waits: Waits;
  /** Ended machines whose directory is still in use. */
  readonly #before: Workspace[] = [];
  readonly #closing: (() => Promise<void>)[] = [];
  readonly #afterwards: (() => Promise<void>)[] = [];
  #tag: string | null = null;
  #savedSince = false;
  #ending: Promise<void> | null = null;

  constructor(parts: MachineParts, workspace: Workspace) {
    super(parts, workspace);
    this.#parts = parts;
    this.hostname = parts.hostname;
    this.template = parts.template;
    this.memoryMib = parts.memoryMib;
    this.waitedMs = parts.waitedMs;
    this.begunAtMs = parts.begunAtMs;
    this.exec = execForms(parts.shell, (argv, shown, options) => this.run(argv, shown, options));
    this.#waits = new Waits({
      name: parts.name,
      life: () => this.life,
      workspace: () => this.workspace,
      port: (number) => this.port(number),
      quietly: (script, bound) => this.quietly(script, bound),
    });
    this.waitFor = this.#waits;
  }

  /** Starts a command that runs beside the test. */
  async spawn(argv: readonly string[], options: SpawnOptions = {}): Promise<Spawned> {
    const env = { ...this.#parts.env, ...options.env };
    return await this.noted(`(spawn) ${argv.join(" ")}`, () =>
      startCommand(this.workspace, this.life, argv, { ...options, env }),
    );
  }

  /** Runs a script that ends at its first failing command and at unset variables; it must succeed. */
  async shell(script: string, options: ExecOptions = {}): Promise<ExecResult> {
    return await this.run([this.#parts.shell, "-euc", script], script, {
      check: true,
      ...options,
    });
  }

  /** A TCP port, reached over the control channel: no port of the host, and no network in the guest. */
  port(number: number): MachinePort {
    return portOf(
      {
        hostname: this.hostname,
        life: this.life,
        workspace: () => this.workspace,
        closing: (close) => this.#closing.push(close),
      },
      number,
    );
  }

  /** Repeats a check until what it gives is neither false, null nor undefined. */
  async until<T>(
    check: () => T | Promise<T>,
    bound: CallBound & { readonly what?: string } = {},
  ): Promise<Exclude<T, false | null | undefined>> {
    return await this.#waits.until(check, bound);
  }

  /** Saves this moment; `restore` comes back to it. The machine goes on. */
  async snapshot(): Promise<void> {
    const tag = passingTag();
    await this.verb("snapshot", async (op) => {
      await snapshotWorkspace(op, this.#parts.engine, this.workspace, tag);
      await this.#forget();
      this.#tag = tag;
      this.#savedSince = true;
    });
  }

  /** Becomes what it was at the last `snapshot`, else at its beginning. Connections and commands end. */
  async restore(): Promise<void> {
    await this.verb("restore", async (op) => {
      const { engine } = this.#parts;
      const name = this.#freshName();
      const next =
        this.#tag === null
          ? await this.#parts.start(op, name, this.hostname)
          : await startSnapshot(op, engine, this.#tag, {
              name,
              hostname: this.hostname,
              bootMs: this.life.timeouts.boot,
              attach: this.current.request.attach,
            });
      await this.#replaceBy(next);
      this.#savedSince = this.#tag !== null;
    });
  }

  /** Further machines that go on from this moment; this one goes on too. */
  async fork(count = 1): Promise<readonly Machine[]> {
    const rooms = await this.#parts.room(count);
    return await this.verb("fork", async (op) => {
      try {
        const starts = rooms.map((_, index) => ({
          name: this.#freshName(),
          hostname: `${this.hostname}-${index + 1}`.slice(-63),
          bootMs: this.life.timeouts.boot,
        }));
        const { engine } = this.#parts;
        const forks = await forkWorkspace(op, engine, this.workspace, starts);
        this.#savedSince = true;
        return forks.map((workspace, index) => {
          const { name, hostname } = starts[index] ?? this;
          const machine = new Machine({ ...this.#parts, name, hostname }, workspace);
          this.#parts.adopt(machine, rooms[index] ?? (async () => {}));
          return machine;
        });
      } catch (error) {
        await Promise.all(rooms.map((giveBack) => giveBack()));
        throw error;
      }
    });
  }

  /** Stops its processors; its clock stands still. */
  async pause(): Promise<void> {
    await this.verb("pause", (op) => this.workspace.pause(op));
  }

  async resume(): Promise<void> {
    await this.verb("resume", (op) => this.workspace.resume(op));
  }

  /**
   * Pulls the plug: what was not written to the disk is lost. The disk has no journal, so what was not synced as a
   * whole (`sync`) may come back damaged. `powerOn` starts it again.
   */
  async crash(): Promise<void> {
    await this.verb("crash", async (op) => {
      const { machine } = this.workspace;
      // What the guest's disk has taken is in the VMM until then, which is no part of the machine's memory.
      await machine.freezer?.pause(op);
      await machine.kill("the test pulled the plug");
    });
  }

  /** Boots a machine that has ended, on the disk as it was left. Nothing of its memory is there any more. */
  async powerOn(): Promise<void> {
    if (this.#savedSince) {
      throw new MicroagentError(
        "invalid_argument",
        `Machine "${this.name}" was saved, so its disk cannot be booted again`,
        { hint: "Call crash and powerOn before snapshot or fork" },
      );
    }
    await this.verb("power on", async (op) => {
      const ended = this.current;
      await ended.machine.kill("the test powers it on again");
      const next = await powerOnAgain(op, this.#parts.engine, ended, this.#freshName());
      this.#before.push(ended);
      this.become(next);
    });
  }

  /** Powers off in good order: services are told to end, disks are written. */
  async powerOff(): Promise<void> {
    await this.verb("power off", async (op) => {
      const { workspace } = this;
      await workspace.agent.powerOff(op, 2_000);
      await op.race(workspace.exit);
    });
  }

  /** Ends the machine for good. */
  async kill(reason = "the test ended it"): Promise<void> {
    await this.destroy(reason);
  }

  /** Ends it. Later calls say why it is gone. Never throws. */
  async destroy(reason: string): Promise<void> {
    this.forbid(reason);
    this.#ending ??= this.#end();
    await this.#ending;
  }

  async #end(): Promise<void> {
    await Promise.all(this.#closing.splice(0).map((close) => close().catch(() => {})));
    await this.current.close();
    for (const each of this.#before.splice(0)) await each.close();
    await this.#forget().catch(() => {});
    for (const act of this.#afterwards.splice(0)) await act().catch(() => {});
  }

  /** Has something done when the machine is gone; at once if it is. */
  async whenGone(act: () => Promise<void>): Promise<void> {
    if (this.over === null) this.#afterwards.push(act);
    else await act();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.destroy("it was disposed of");
  }

  async #replaceBy(next: Workspace): Promise<void> {
    const old = this.current;
    this.become(next);
    await old.close();
    for (const each of this.#before.splice(0)) await each.close();
  }

  async #forget(): Promise<void> {
    const tag = this.#tag;
    this.#tag = null;
    if (tag !== null) await deleteSnapshot(this.#parts.engine, tag);
  }

  #freshName(): string {
    return `${this.#parts.name.slice(0, 50)}-${randomHex(3)}`;
  }
}
