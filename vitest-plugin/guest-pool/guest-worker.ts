import { writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname } from "node:path";
import type { Duplex } from "node:stream";
import { fileURLToPath } from "node:url";
import {
  type Admission,
  admit,
  cloneTemplate,
  droppedDirectory,
  type Engine,
  MicroagentError,
  type Op,
  openGuestPort,
  randomHex,
  startOp,
  type Workspace,
  withOp,
} from "../../src/index.ts";
import { inOneLine } from "./load-failure.ts";
import { importedPackages } from "./module-graph.ts";
import type { PoolSettings } from "./options.ts";
import { putPackages, putPath } from "./package-trees.ts";
import { addOnly, addPackages, copyOfSet, type PackageSet, packageDirOf } from "./packages.ts";
import type { SnapshotFiles } from "./snapshot-files.ts";
import { outputDir, readOutput, type WarmTemplate, workerPort } from "./template.ts";
import { Connection } from "./wire/connection.ts";
import type { Frame, Hello } from "./wire/frames.ts";

export interface GuestWorkerParts {
  readonly engine: Engine;
  readonly settings: PoolSettings;
  readonly warm: WarmTemplate;
  readonly hello: Hello;
  /** Host files and directories by guest path. */
  readonly files: Readonly<Record<string, string>>;
  readonly snapshots: SnapshotFiles;
  /** Where the worker may have files of coverage written on the host; null: nowhere. */
  readonly coverageDir: string | null;
  readonly onMessage: (message: unknown) => void;
  readonly onOutput: (stream: "stdout" | "stderr", bytes: Uint8Array) => void;
  /** The worker or its machine is gone, and nobody asked for it. */
  readonly onEnd: (reason: MicroagentError) => void;
}

const exitNoticeMs = 5_000;
/** A machine that hangs must not keep the run. */
const restMs = 2_000;

/** A clone with a worker that was waiting in it. */
export class GuestWorker {
  readonly #parts: GuestWorkerParts;
  readonly #workspace: Workspace;
  readonly #admission: Admission;
  readonly #connection: Connection;
  readonly #packages: PackageSet;
  /** Settles once: with its first answer, or with why there is none. */
  readonly #awake: Promise<void>;
  #wake: (failure: MicroagentError | null) => void = () => {};
  #isAwake = false;
  #closing: Promise<void> | null = null;
  /** What has to be there before a later message goes out. */
  #putting: Promise<void> = Promise.resolve();

  private constructor(
    parts: GuestWorkerParts,
    workspace: Workspace,
    admission: Admission,
    socket: Duplex,
  ) {
    this.#parts = parts;
    this.#workspace = workspace;
    this.#admission = admission;
    this.#packages = copyOfSet(parts.warm.packages);
    this.#awake = new Promise((resolve, reject) => {
      this.#wake = (failure) => (failure === null ? resolve() : reject(failure));
    });
    // Nobody waits for it yet.
    this.#awake.catch(() => {});
    this.#connection = new Connection(socket, {
      onFrame: (frame) => this.#take(frame),
      onEnd: (failure) => void (failure === null ? this.#ended() : this.#lost(failure)),
      refuse: (what) => new MicroagentError("protocol_violation", what),
    });
    this.#connection.send({ kind: "hello", value: parts.hello });
  }

  /** Room first, then a clone, its files, and the connection to its worker. */
  static async start(op: Op, parts: GuestWorkerParts): Promise<GuestWorker> {
    const { engine, settings, warm } = parts;
    const { memoryMib, cpus } = warm.template.request.boot;
    const { timeouts, budget } = settings;
    const group = `pool${randomHex(8)}`;
    const admission = await op.step(
      "admission",
      (step) => admit(step, engine.layout, budget, { memoryMib, cpus, group }),
      { timeoutMs: timeouts.admission },
    );
    const undo = [() => admission.release()];
    try {
      const name = `vitest-file-${randomHex(4)}`;
      const own = { name, hostname: name, bootMs: timeouts.boot };
      const workspace = await cloneTemplate(op, engine, warm.template, own);
      undo.push(() => workspace.close());
      for (const [guestPath, hostPath] of Object.entries(parts.files)) {
        const { tree } = await droppedDirectory({ hostPath, guestPath });
        await workspace.put(op, guestPath, tree());
      }
      const socket = await openGuestPort(op, workspace, workerPort);
      const worker = new GuestWorker(parts, workspace, admission, socket);
      undo.push(() => worker.close());
      await op.step("wake", (step) => step.race(worker.#awake), { timeoutMs: timeouts.boot });
      return worker;
    } catch (error) {
      for (const act of undo.reverse()) await act();
      throw error;
    }
  }

  get name(): string {
    return this.#workspace.name;
  }

  /** Sends one message of Vitest's. What it names is in the machine before it arrives. */
  send(message: unknown): void {
    const { imported, source } = namedBy(message);
    const write = () => this.#connection.send({ kind: "message", value: message });
    if (imported === null && source === null) {
      write();
      return;
    }
    this.#putting = this.#putting
      .then(() => (imported === null ? undefined : this.#provide(imported)))
      .then(() => (source === null ? undefined : this.#sendFile(source)))
      .catch((error: unknown) => this.#lost(error))
      .then(write);
  }

  /** Ends the machine and gives its room back. Never throws; may be called again. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await this.#tellRest().catch(() => {
      // What cannot be had from a machine that is gone is in its console.
    });
    this.#connection.destroy();
    await this.#workspace.close();
    await this.#admission.release();
  }

  #take(frame: Frame): void {
    switch (frame.kind) {
      case "message":
        this.#parts.onMessage(frame.value);
        break;
      case "stdout":
      case "stderr":
        this.#parts.onOutput(frame.kind, frame.value);
        break;
      case "awake":
        this.#wake(this.#parts.warm.drawn.refusalOf(frame.value));
        this.#isAwake = true;
        break;
      case "file":
        this.#takeCoverage(frame.value);
        break;
      case "call":
        void this.#answer(frame.value);
        break;
      default:
        throw new MicroagentError("protocol_violation", `A worker sent a frame "${frame.kind}"`);
    }
  }

  /** At once: the next message tells Vitest that it is there. */
  #takeCoverage({ path, data }: Extract<Frame, { kind: "file" }>["value"]): void {
    const { coverageDir } = this.#parts;
    if (coverageDir === null || dirname(path) !== coverageDir || !path.endsWith(".json")) {
      throw new MicroagentError("protocol_violation", `A worker sent a file "${path}" unasked`);
    }
    writeFileSync(path, data);
  }

  async #answer({ id, name, args }: Extract<Frame, { kind: "call" }>["value"]): Promise<void> {
    try {
      const result = await this.#parts.snapshots.answer(name, args);
      this.#connection.send({ kind: "answer", value: { id, result } });
    } catch (error) {
      const failure = error instanceof Error ? error.message : String(error);
      this.#connection.send({ kind: "answer", value: { id, failure } });
    }
  }

  async #sendFile(path: string): Promise<void> {
    const data = await readFile(path);
    this.#connection.send({ kind: "file", value: { path, data } });
  }

  /** Copies the package of a module in, with what it needs, unless it is there. */
  async #provide(path: string): Promise<void> {
    const dir = packageDirOf(path);
    const { timeouts } = this.#parts.settings;
    await withOp("packages", { timeoutMs: timeouts.boot }, async (op) => {
      if (dir !== null) {
        await putPackages(op, this.#workspace, await addPackages(this.#packages, [dir]));
        // What it imports without having declared it.
        const imported = await importedPackages([path]);
        return await putPackages(op, this.#workspace, await addOnly(this.#packages, imported));
      }
      if (this.#packages.dirs.has(path)) return;
      this.#packages.dirs.add(path);
      await putPath(op, this.#workspace, path);
    });
  }

  /** What programs that tests started have printed, and Node itself. */
  async #tellRest(): Promise<void> {
    await withOp("output", { timeoutMs: restMs }, async (op) => {
      for (const stream of ["stdout", "stderr"] as const) {
        const text = await readOutput(op, this.#workspace, stream);
        if (text !== "") this.#parts.onOutput(stream, Buffer.from(text));
      }
    });
  }

  #lost(error: unknown): void {
    if (this.#closing !== null) return;
    const reason =
      error instanceof MicroagentError
        ? error
        : new MicroagentError("internal", "The worker was lost", { cause: error });
    if (this.#isAwake) this.#parts.onEnd(reason);
    else this.#wake(reason);
  }

  async #ended(): Promise<void> {
    if (this.#closing !== null) return;
    const { op, end } = startOp("worker", { timeoutMs: this.#parts.settings.timeouts.teardown });
    try {
      this.#lost(await this.#reason(op));
    } catch (error) {
      this.#lost(error);
    } finally {
      end();
    }
  }

  /** Why nobody is at the other end any more: the machine's own account, else the program's exit code. */
  async #reason(op: Op): Promise<MicroagentError> {
    const workspace = this.#workspace;
    const watch = { for: "file", path: `${outputDir}/exit`, present: true } as const;
    await workspace.explaining("running tests", workspace.agent.watch(op, watch, exitNoticeMs));
    const code = (await readOutput(op, workspace, "exit")).trim();
    const how = code === "" ? "has closed its connection" : `ended with exit code ${code}`;
    return new MicroagentError("command_failed", `The worker in machine "${this.name}" ${how}`, {
      hint:
        code === "137"
          ? "It was killed, perhaps for want of memory: template: { memory: 1024 }"
          : inOneLine(await readOutput(op, workspace, "stderr")),
    });
  }
}

/**
 * Files of the host that an answer to a module request names: one that the worker imports by itself, and the cached
 * source of one that the host has transformed.
 */
function namedBy(message: unknown): {
  readonly imported: string | null;
  readonly source: string | null;
} {
  const result = (message as { readonly r?: unknown } | null)?.r;
  const { externalize, cached, tmp } = (result ?? {}) as Readonly<Record<string, unknown>>;
  return {
    imported: typeof externalize === "string" ? hostPath(externalize) : null,
    source: cached === true && typeof tmp === "string" ? tmp : null,
  };
}

/** Null for what is no file, as Node's own modules. */
function hostPath(url: string): string | null {
  if (url.startsWith("file:")) return fileURLToPath(url);
  return url.startsWith("/") ? url : null;
}
