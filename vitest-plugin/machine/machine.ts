import {
  type CopiedOut,
  copyIntoGuest,
  copyOutOfGuest,
  type Disturbance,
  deleteSnapshot,
  type Engine,
  forkWorkspace,
  type GuestFileOptions,
  globGuest,
  MicroagentError,
  makeGuestDirectory,
  type Op,
  powerOnAgain,
  randomHex,
  readGuestFile,
  snapshotWorkspace,
  startSnapshot,
  type TreeEntry,
  type Workspace,
  writeGuestFile,
} from "../../src/index.ts";
import { type Exec, type ExecOptions, type ExecResult, execForms, runCommand } from "./exec.ts";
import type { CallBound, Life } from "./life.ts";
import { type MachinePort, portOf } from "./port.ts";
import { type Spawned, type SpawnOptions, startCommand } from "./spawn.ts";
import { Transcript } from "./transcript.ts";
import { type WaitFor, Waits } from "./wait.ts";

const fileBytesMax = 256 * 1024 * 1024;
const copyEntriesMax = 100_000;
const copyBytesMax = 10 * 1024 ** 3;

/** What a machine is made with. */
export interface MachineParts {
  readonly engine: Engine;
  readonly name: string;
  readonly hostname: string;
  readonly shell: string;
  readonly template: string;
  readonly memoryMib: number;
  /** Of every command, over the image's. */
  readonly env: Readonly<Record<string, string>>;
  readonly life: Life;
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
export class Machine implements AsyncDisposable {
  readonly name: string;
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
  /** What was done with it, for when the test fails. */
  readonly transcript: Transcript = new Transcript();
  readonly #parts: MachineParts;
  readonly #waits: Waits;
  #life: Life;
  #workspace: Workspace;
  /** Ended machines whose directory is still in use. */
  readonly #before: Workspace[] = [];
  readonly #closing: (() => Promise<void>)[] = [];
  readonly #afterwards: (() => Promise<void>)[] = [];
  #tag: string | null = null;
  #savedSince = false;
  #over: string | null = null;
  #ending: Promise<void> | null = null;
  #touched = false;

  constructor(parts: MachineParts, workspace: Workspace) {
    this.#parts = parts;
    this.#workspace = workspace;
    this.#life = parts.life;
    this.name = parts.name;
    this.hostname = parts.hostname;
    this.template = parts.template;
    this.memoryMib = parts.memoryMib;
    this.waitedMs = parts.waitedMs;
    this.exec = execForms(parts.shell, (argv, shown, options) => this.#run(argv, shown, options));
    this.#waits = new Waits({
      name: parts.name,
      life: () => this.#life,
      workspace: () => this.workspace,
      port: (number) => this.port(number),
      quietly: (script, bound) => this.#quietly(script, bound),
    });
    this.waitFor = this.#waits;
  }

  /** The engine's own view of it, for what has no verb here. */
  get workspace(): Workspace {
    if (this.#over !== null) {
      throw new MicroagentError("closed", `Machine "${this.name}" is gone: ${this.#over}`);
    }
    this.#touched = true;
    return this.#workspace;
  }

  /** The file that the guest kernel's console is written to. */
  get consolePath(): string {
    return this.#workspace.directory.consolePath;
  }

  /** Resolves when the machine has ended, with how. */
  get exit(): Workspace["exit"] {
    return this.#workspace.exit;
  }

  /** Starts a command that runs beside the test. */
  async spawn(argv: readonly string[], options: SpawnOptions = {}): Promise<Spawned> {
    const entry = this.transcript.begin(`(spawn) ${argv.join(" ")}`);
    try {
      const spawned = await startCommand(this.workspace, this.#life, argv, {
        ...options,
        env: { ...this.#parts.env, ...options.env },
      });
      entry.done();
      return spawned;
    } catch (error) {
      entry.fail(error);
      throw error;
    }
  }

  /** Runs a script that ends at its first failing command and at unset variables; it must succeed. */
  async shell(script: string, options: ExecOptions = {}): Promise<ExecResult> {
    return await this.#run([this.#parts.shell, "-euc", script], script, {
      check: true,
      ...options,
    });
  }

  async readFile(path: string): Promise<Buffer>;
  async readFile(path: string, encoding: "utf8"): Promise<string>;
  async readFile(path: string, encoding?: "utf8"): Promise<Buffer | string> {
    const bytes = await this.#io("read", (op) =>
      readGuestFile(op, this.workspace, path, fileBytesMax),
    );
    return encoding === undefined ? bytes : bytes.toString(encoding);
  }

  /** Writes a file, with the directories above it. */
  async writeFile(
    path: string,
    data: string | Uint8Array,
    options: GuestFileOptions = {},
  ): Promise<void> {
    await this.#io("write", (op) =>
      writeGuestFile(op, this.workspace, path, Buffer.from(data), options),
    );
  }

  /** Copies a host file or directory in, owned by root. */
  async copyIn(hostPath: string, path: string): Promise<void> {
    await this.#io("copy in", (op) => copyIntoGuest(op, this.workspace, hostPath, path));
  }

  /** Copies a file or directory out: regular files and directories. */
  async copyOut(path: string, hostPath: string): Promise<CopiedOut> {
    const caps = { maxEntries: copyEntriesMax, maxBytes: copyBytesMax };
    return await this.#io("copy out", (op) =>
      copyOutOfGuest(op, this.workspace, path, hostPath, caps),
    );
  }

  /** What is at a path, links followed. `guest_file_not_found`. */
  async stat(path: string): Promise<TreeEntry> {
    return await this.#io("stat", (op) =>
      this.workspace.explaining("looking at a file", this.workspace.agent.stat(op, path)),
    );
  }

  /** Paths that match a pattern with `*`, `?`, `[abc]` and `**`. */
  async glob(pattern: string): Promise<readonly string[]> {
    return await this.#io("glob", (op) => globGuest(op, this.workspace, pattern));
  }

  /** Removes a path, directories with what is in them. Nothing there is fine. */
  async rm(path: string): Promise<void> {
    await this.#io("rm", async (op) => {
      try {
        await this.workspace.agent.remove(op, path, { recursive: true });
      } catch (error) {
        if (!(error instanceof MicroagentError && error.code === "guest_file_not_found"))
          throw error;
      }
    });
  }

  /** Makes a directory and those above it. */
  async mkdir(path: string, options: GuestFileOptions = {}): Promise<void> {
    await this.#io("mkdir", (op) => makeGuestDirectory(op, this.workspace, path, options));
  }

  /** Paths below `path` that were changed since the machine began, directories with a final "/". */
  async changes(path = "/"): Promise<readonly string[]> {
    const since = this.#parts.begunAtMs;
    return await this.#io("changes", (op) => this.workspace.agent.changes(op, path, since));
  }

  /** A TCP port, reached over the control channel: no port of the host, and no network in the guest. */
  port(number: number): MachinePort {
    return portOf(
      {
        hostname: this.hostname,
        life: this.#life,
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
    const tag = `vitest-${this.name}-${randomHex(3)}`;
    await this.#verb("snapshot", async (op) => {
      await snapshotWorkspace(op, this.#parts.engine, this.workspace, tag);
      await this.#forget();
      this.#tag = tag;
      this.#savedSince = true;
    });
  }

  /** Becomes what it was at the last `snapshot`, else at its beginning. Connections and commands end. */
  async restore(): Promise<void> {
    await this.#verb("restore", async (op) => {
      const { engine } = this.#parts;
      const name = this.#freshName();
      const next =
        this.#tag === null
          ? await this.#parts.start(op, name, this.hostname)
          : await startSnapshot(op, engine, this.#tag, {
              name,
              hostname: this.hostname,
              bootMs: this.#life.timeouts.boot,
              attach: this.#workspace.request.attach,
            });
      await this.#replaceBy(next);
      this.#savedSince = this.#tag !== null;
    });
  }

  /** Further machines that go on from this moment; this one goes on too. */
  async fork(count = 1): Promise<readonly Machine[]> {
    const rooms = await this.#parts.room(count);
    return await this.#verb("fork", async (op) => {
      try {
        const starts = rooms.map((_, index) => ({
          name: this.#freshName(),
          hostname: `${this.hostname}-${index + 1}`.slice(-63),
          bootMs: this.#life.timeouts.boot,
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
    await this.#verb("pause", (op) => this.workspace.pause(op));
  }

  async resume(): Promise<void> {
    await this.#verb("resume", (op) => this.workspace.resume(op));
  }

  /**
   * Pulls the plug: what was not written to the disk is lost. The disk has no journal, so what was not synced as a
   * whole (`sync`) may come back damaged. `powerOn` starts it again.
   */
  async crash(): Promise<void> {
    await this.#verb("crash", async (op) => {
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
    await this.#verb("power on", async (op) => {
      const ended = this.#workspace;
      await ended.machine.kill("the test powers it on again");
      const next = await powerOnAgain(op, this.#parts.engine, ended, this.#freshName());
      this.#before.push(ended);
      this.#workspace = next;
    });
  }

  /** Powers off in good order: services are told to end, disks are written. */
  async powerOff(): Promise<void> {
    await this.#verb("power off", async (op) => {
      const { workspace } = this;
      await workspace.agent.powerOff(op, 2_000);
      await op.race(workspace.exit);
    });
  }

  /** Ends the machine for good. */
  async kill(reason = "the test ended it"): Promise<void> {
    await this.destroy(reason);
  }

  /** Sets the guest's clock. */
  async setClock(time: Date): Promise<void> {
    await this.#disturb("set clock", { what: "clock", timeUnixMs: time.getTime() });
  }

  /** The network cable: while it is out, packets are lost in both directions. */
  readonly link: { down(): Promise<void>; up(): Promise<void> } = {
    down: () => this.#disturb("link down", { what: "link", up: false }),
    up: () => this.#disturb("link up", { what: "link", up: true }),
  };

  readonly disk: {
    /** Leaves `freeBytes` on the file system of `path`. */
    fill(options?: { readonly path?: string; readonly freeBytes?: number }): Promise<void>;
    /** Gives the room back. */
    free(path?: string): Promise<void>;
  } = {
    fill: ({ path = "/", freeBytes = 0 } = {}) =>
      this.#disturb("disk fill", { what: "disk", path, freeBytes }),
    free: (path = "/") => this.#disturb("disk free", { what: "disk", path, freeBytes: null }),
  };

  readonly memory: {
    /** Takes so many MiB away from everything that runs. */
    pressure(mib: number): Promise<void>;
    release(): Promise<void>;
  } = {
    pressure: (mib) =>
      this.#disturb("memory pressure", { what: "memory", bytes: Math.round(mib * 1024 * 1024) }),
    release: () => this.#disturb("memory release", { what: "memory", bytes: 0 }),
  };

  /** Ends it. Later calls say why it is gone. Never throws. */
  async destroy(reason: string): Promise<void> {
    this.#over ??= reason;
    this.#ending ??= this.#end();
    await this.#ending;
  }

  async #end(): Promise<void> {
    await Promise.all(this.#closing.splice(0).map((close) => close().catch(() => {})));
    await this.#workspace.close();
    for (const each of this.#before.splice(0)) await each.close();
    await this.#forget().catch(() => {});
    for (const act of this.#afterwards.splice(0)) await act().catch(() => {});
  }

  /** Has something done when the machine is gone; at once if it is. */
  async whenGone(act: () => Promise<void>): Promise<void> {
    if (this.#over === null) this.#afterwards.push(act);
    else await act();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.destroy("it was disposed of");
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

  get consoleTail(): string {
    return this.#workspace.consoleTail();
  }

  async #run(argv: readonly string[], shown: string, options: ExecOptions): Promise<ExecResult> {
    const command = { argv, shown };
    const env = { ...this.#parts.env, ...options.env };
    const given = { ...options, env };
    return await runCommand(this.workspace, this.#life, this.transcript, command, given);
  }

  /** A command that is repeated: it does not fill the transcript. */
  async #quietly(script: string, bound: CallBound): Promise<ExecResult> {
    const command = { argv: [this.#parts.shell, "-c", script], shown: script };
    const given = { ...bound, env: this.#parts.env };
    return await runCommand(this.workspace, this.#life, new Transcript(), command, given);
  }

  async #io<T>(name: string, work: (op: Op) => Promise<T>): Promise<T> {
    return await this.#life.during(name, {}, this.#life.timeouts.exec, work);
  }

  async #verb<T>(name: string, work: (op: Op) => Promise<T>): Promise<T> {
    const entry = this.transcript.begin(`(${name})`);
    try {
      const value = await this.#life.during(name, {}, this.#life.timeouts.boot, work);
      entry.done();
      return value;
    } catch (error) {
      entry.fail(error);
      throw error;
    }
  }

  async #disturb(name: string, disturbance: Disturbance): Promise<void> {
    await this.#verb(name, (op) =>
      this.workspace.explaining(name, this.workspace.agent.disturb(op, disturbance)),
    );
  }

  async #replaceBy(next: Workspace): Promise<void> {
    const old = this.#workspace;
    this.#workspace = next;
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
