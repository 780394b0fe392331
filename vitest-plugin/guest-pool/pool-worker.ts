import { EventEmitter } from "node:events";
import { dirname, resolve } from "node:path";
import type { PoolOptions, PoolWorker } from "vitest/node";
import {
  type Engine,
  isMicroagentError,
  MicroagentError,
  type ProgressListener,
  realClock,
  startOp,
} from "../../src/index.ts";
import { GuestWorker } from "./guest-worker.ts";
import type { PoolSettings } from "./options.ts";
import { SnapshotFiles } from "./snapshot-files.ts";
import { poolName, type WarmTemplate } from "./template.ts";
import { testEnvironment } from "./test-environment.ts";

export interface PoolWorkerParts {
  readonly engine: Engine;
  readonly settings: PoolSettings;
  readonly options: PoolOptions;
  /** Built by whoever asks first. */
  warm(): Promise<WarmTemplate>;
  readonly onProgress: ProgressListener;
}

/** A request of Vitest's to a worker, as far as it is looked into here. */
interface Request {
  readonly __vitest_worker_request__: true;
  readonly type: "start" | "run" | "collect" | "stop" | "cancel";
  readonly context?: {
    readonly files?: readonly { readonly filepath: string }[];
    /** Vitest 5 tells its workers where to write what they have counted. */
    readonly config?: { readonly coverage?: { readonly coverageFilesDirectory?: string } };
  };
}

interface Response {
  readonly __vitest_worker_response__: true;
  readonly type: "started" | "testfileFinished" | "stopped";
  readonly error?: unknown;
}

/**
 * Vitest's view of one clone. It says at once that it has started, because Vitest bounds that: waiting for room, for
 * the template and for the clone begins with the first test file, and has bounds of its own.
 */
export class GuestPoolWorker implements PoolWorker {
  readonly name: string = poolName;
  readonly #parts: PoolWorkerParts;
  readonly #events = new EventEmitter();
  /** Breaks off what happens before there is a guest. */
  readonly #starting = new AbortController();
  readonly #snapshots: SnapshotFiles;
  readonly #offCancel: () => void;
  #startRequest: Request | null = null;
  /** Takes messages from its first moment on: an environment may ask while it is set up. */
  #connected: GuestWorker | null = null;
  /** The same when test files can run in it. */
  #guest: GuestWorker | null = null;
  #running: Promise<void> = Promise.resolve();
  /** Test files that it is busy with; null between them. */
  #files: readonly string[] | null = null;
  #onStarted: (answer: Response) => void = () => {};
  #isOver = false;
  readonly #timers = new Set<() => void>();

  constructor(parts: PoolWorkerParts) {
    this.#parts = parts;
    const { project } = parts.options;
    this.#snapshots = new SnapshotFiles(project.config.root);
    this.#offCancel = project.vitest.onCancel(() => this.#cancel());
  }

  on(event: string, callback: (value: unknown) => void): void {
    this.#events.on(event, callback);
  }

  off(event: string, callback: (value: unknown) => void): void {
    this.#events.off(event, callback);
  }

  deserialize(data: unknown): unknown {
    return data;
  }

  async start(): Promise<void> {}

  send(message: unknown): void {
    if (!isRequest(message)) {
      this.#snapshots.tell(message);
      this.#connected?.send(message);
      return;
    }
    switch (message.type) {
      case "start":
        this.#startRequest = message;
        this.#tell("started");
        break;
      case "run":
      case "collect":
        this.#running = this.#run(message).catch((error: unknown) => this.#fail(error));
        break;
      case "stop":
        this.#askToStop(message);
        break;
      case "cancel":
        break;
    }
  }

  /** Ends the machine. Never throws. */
  async stop(): Promise<void> {
    this.#offCancel();
    this.#clearTimers();
    this.#isOver = true;
    this.#starting.abort(new MicroagentError("closed", "The worker was stopped"));
    // One that is only starting ends by itself.
    await this.#running;
    await this.#guest?.close();
  }

  async #run(request: Request): Promise<void> {
    this.#files = (request.context?.files ?? []).map(({ filepath }) => filepath);
    this.#guest ??= await this.#startGuest();
    // Stopped while it was starting.
    if (this.#isOver) return await this.#guest.close();
    const { fileTimeoutMs } = this.#parts.settings;
    if (fileTimeoutMs > 0) {
      this.#after(fileTimeoutMs, () =>
        this.#fail(
          new MicroagentError("timeout", `It did not end within ${fileTimeoutMs} ms`, {
            hint: "Give it longer: microvmPool({ fileTimeout: 1_200_000 })",
          }),
        ),
      );
    }
    this.#guest.send(request);
  }

  async #startGuest(): Promise<GuestWorker> {
    const { engine, settings, options, warm, onProgress } = this.#parts;
    const { root } = options.project.config;
    const coverageDir = this.#startRequest?.context?.config?.coverage?.coverageFilesDirectory;
    const testDirs = (this.#files ?? []).map((file) => dirname(file));
    const { op, end } = startOp("guest", { signal: this.#starting.signal, onProgress });
    try {
      const template = await op.race(warm());
      const guest = await GuestWorker.start(op, {
        engine,
        settings,
        warm: template,
        hello: {
          env: testEnvironment(settings, options),
          cwd: process.cwd(),
          dirs: [root, ...testDirs, ...(coverageDir === undefined ? [] : [coverageDir])],
        },
        files: Object.fromEntries(
          settings.files.map((path) => [resolve(root, path), resolve(root, path)]),
        ),
        snapshots: this.#snapshots,
        coverageDir: coverageDir ?? null,
        onMessage: (message) => this.#hear(message),
        onOutput: (stream, bytes) => this.#print(stream, bytes),
        onEnd: (reason) => this.#fail(reason),
      });
      this.#connected = guest;
      try {
        await op.step("start", (step) => step.race(this.#startInside(guest)), {
          timeoutMs: settings.timeouts.boot,
        });
        return guest;
      } catch (error) {
        await guest.close();
        throw error;
      }
    } finally {
      end();
    }
  }

  async #startInside(guest: GuestWorker): Promise<void> {
    const answered = new Promise<Response>((give) => {
      this.#onStarted = give;
    });
    guest.send(this.#startRequest);
    const { error } = await answered;
    if (error !== undefined && error !== null) throw error;
  }

  #hear(message: unknown): void {
    this.#snapshots.hear(message);
    if (isResponse(message)) {
      if (message.type === "started") {
        this.#onStarted(message);
        return;
      }
      this.#files = null;
      this.#clearTimers();
    }
    this.#events.emit("message", message);
  }

  #askToStop(request: Request): void {
    if (this.#guest === null || this.#isOver) {
      this.#tell("stopped");
      return;
    }
    this.#after(this.#parts.settings.timeouts.teardown, () => this.#tell("stopped"));
    this.#guest.send(request);
  }

  /** What was running fails; the machine is of no use any more. */
  #fail(error: unknown): void {
    if (this.#isOver) return;
    this.#clearTimers();
    const files = this.#files;
    this.#files = null;
    // Files that were cancelled before they began are no failures.
    if (this.#starting.signal.aborted && this.#guest === null) {
      this.#tell("testfileFinished");
      return;
    }
    this.#isOver = true;
    this.#starting.abort(new MicroagentError("closed", "The worker has failed"));
    void this.#guest?.close();
    const named = (files ?? []).map((file) => `"${file}"`).join(", ");
    this.#events.emit("error", explained(error, named));
    this.#tell("stopped");
  }

  #cancel(): void {
    this.#starting.abort(new MicroagentError("cancelled", "The run was cancelled"));
    if (this.#guest === null || this.#files === null) return;
    const ms = this.#parts.settings.timeouts.teardown;
    this.#after(ms, () =>
      this.#fail(new MicroagentError("cancelled", `It went on for ${ms} ms after the interrupt`)),
    );
  }

  #tell(type: Response["type"]): void {
    const response: Response = { type, __vitest_worker_response__: true };
    // Not before Vitest, which has just asked, listens.
    queueMicrotask(() => this.#events.emit("message", response));
  }

  #print(stream: "stdout" | "stderr", bytes: Uint8Array): void {
    const { outputStream, errorStream } = this.#parts.options.project.vitest.logger;
    (stream === "stdout" ? outputStream : errorStream).write(bytes);
  }

  #after(ms: number, act: () => void): void {
    this.#timers.add(realClock.after(ms, act));
  }

  #clearTimers(): void {
    for (const cancel of this.#timers) cancel();
    this.#timers.clear();
  }
}

function isRequest(message: unknown): message is Request {
  return (message as Partial<Request> | null)?.__vitest_worker_request__ === true;
}

function isResponse(message: unknown): message is Response {
  return (message as Partial<Response> | null)?.__vitest_worker_response__ === true;
}

/** Vitest prints the message and the causes; what helps is part of it. */
function explained(error: unknown, files: string): MicroagentError {
  const text = error instanceof Error ? error.message : String(error);
  const hint = isMicroagentError(error) && error.hint !== undefined ? `\n${error.hint}` : "";
  const code = isMicroagentError(error) ? error.code : "internal";
  const message = `Test file ${files} could not be run: ${text}${hint}`;
  const told = new MicroagentError(code, message, {
    cause: isMicroagentError(error) ? undefined : error,
  });
  // Where in this package it was made helps nobody.
  told.stack = `${told.name}: ${message}`;
  return told;
}
