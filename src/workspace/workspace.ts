import type { Agent } from "../agent/agent.ts";
import type { ExecRequest, Execution } from "../agent/exec.ts";
import type { GetOptions } from "../agent/get.ts";
import type { TreeItem } from "../agent/tree.ts";
import type { CleanupStack } from "../base/cleanup.ts";
import { MicroagentError } from "../base/errors.ts";
import type { Clock, Op } from "../base/op.ts";
import type {
  DiskAttachment,
  Freezer,
  Machine,
  MachineExit,
  Snapshots,
} from "../supervisor/port.ts";
import type { Attachments } from "./attachments.ts";
import type { BootRequest } from "./boot.ts";
import type { BootReport } from "./boot-report.ts";
import { lastBytes, patienceMs } from "./last-bytes.ts";
import { explainFailure } from "./machine-failure.ts";
import { settledWithin } from "./settled-within.ts";
import type { WorkspaceDir } from "./workspace-dir.ts";

interface WorkspaceParts {
  readonly request: BootRequest;
  /** Null when this machine cannot be saved. */
  readonly snapshots: Snapshots | null;
  readonly machine: Machine;
  readonly agent: Agent;
  readonly directory: WorkspaceDir;
  readonly attachments: Attachments;
  /** The writable disks it was started with. */
  readonly disks: readonly DiskAttachment[];
  readonly report: BootReport;
  readonly clock: Clock;
  readonly release: CleanupStack;
}

/** How long an orderly power-off may take before the machine is stopped the hard way. */
const powerOffMs = 8_000;
/** How long the guest's connections may take to close before the machine goes. */
const disconnectMs = 5_000;

/**
 * A running machine with its agent, its directory and its lease. Every call fails with `closed`
 * after `close`, and with the machine's own account of its end when it died meanwhile.
 */
export class Workspace {
  readonly name: string;
  readonly report: BootReport;
  readonly #parts: WorkspaceParts;
  #closed: Promise<void> | null = null;

  constructor(parts: WorkspaceParts) {
    this.name = parts.request.name;
    this.report = parts.report;
    this.#parts = parts;
  }

  /** What was asked for. */
  get request(): BootRequest {
    return this.#parts.request;
  }

  get hostname(): string {
    return this.#parts.request.hostname;
  }

  /** What can save this machine; null when it was not started to be saved, or nothing can. */
  get snapshots(): Snapshots | null {
    return this.#parts.snapshots;
  }

  /** The machine itself, for what has no verb here. */
  get machine(): Machine {
    return this.#parts.machine;
  }

  /** How the machine ended; resolves once, never rejects. */
  get exit(): Promise<MachineExit> {
    return this.#parts.machine.exit;
  }

  /** Directory with the console log and the disks of this workspace. */
  get directory(): WorkspaceDir {
    return this.#parts.directory;
  }

  /** The writable disks it was started with. */
  get disks(): readonly DiskAttachment[] {
    return this.#parts.disks;
  }

  /** Its network, published ports and secrets. */
  get attachments(): Attachments {
    return this.#parts.attachments;
  }

  get pid(): number | null {
    return this.#parts.machine.pid;
  }

  consoleTail(): string {
    return this.#parts.machine.consoleTail();
  }

  /** Starts a command; resolves when it runs, `exec_not_started` when it cannot. */
  async exec(op: Op, request: ExecRequest): Promise<Execution> {
    return await this.#asking("running a command", (agent) => agent.exec(op, request));
  }

  /** Settles as `work` does, but a dead machine explains itself. For use on a running `Execution`. */
  async explaining<T>(doing: string, work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      throw await explainFailure(this.#parts.clock, this.#parts.machine, error, doing);
    }
  }

  /** Writes a tree below `path` in the guest. */
  async put(op: Op, path: string, tree: AsyncIterable<TreeItem>): Promise<void> {
    await this.#asking("copying files in", (agent) => agent.put(op, path, tree));
  }

  /** Reads the file or tree at `path` in the guest, links as links. */
  async get(op: Op, path: string, caps: GetOptions): Promise<AsyncIterable<TreeItem>> {
    return await this.#asking("copying files out", (agent) => agent.get(op, path, caps));
  }

  /** The guest agent, for what has no verb here. */
  get agent(): Agent {
    return this.#parts.agent;
  }

  /** Freezes the machine with everything in it. `host_unsupported` where the backend cannot. */
  async pause(op: Op): Promise<void> {
    await this.#freezer.pause(op);
  }

  /** Lets a paused machine go on; its clock has stood still meanwhile. */
  async resume(op: Op): Promise<void> {
    await this.#freezer.resume(op);
  }

  get #freezer(): Freezer {
    const { freezer } = this.#parts.machine;
    if (freezer !== null) return freezer;
    throw new MicroagentError(
      "host_unsupported",
      `Machines of backend "${this.report.supervisor}" cannot be paused`,
    );
  }

  /** Lets what the guest's programs had sent when they ended reach others, for a moment at most. Never throws. */
  async lastBytes(op: Op, withinMs: number = patienceMs): Promise<void> {
    const { agent, attachments } = this.#parts;
    if (this.#closed !== null) return;
    const guest = {
      sent: (step: Op) => agent.watch(step, { for: "sent" }, withinMs),
      roundTrip: (step: Op) => agent.ping(step),
      leaving: attachments.leaving,
    };
    await lastBytes(op, guest, withinMs);
  }

  /** Powers the guest off in good order (its disks are flushed), then closes. */
  async powerOff(op: Op, withinMs: number = powerOffMs): Promise<void> {
    if (this.#closed === null) {
      try {
        await this.lastBytes(op, Math.min(patienceMs, withinMs / 4));
        await op.step(
          "power-off",
          async (step) => {
            await this.#parts.agent.powerOff(step, 2_000);
            await this.#parts.machine.exit;
          },
          { timeoutMs: withinMs },
        );
      } catch {
        // A guest that will not go is stopped by close below.
      }
    }
    await this.close();
  }

  /** Stops the machine now and gives everything back. Never throws; may be called again. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    // Connections that will not end must not keep the machine alive.
    await settledWithin(this.#parts.clock, this.#parts.attachments.close(), disconnectMs);
    this.#parts.agent.close();
    await this.#parts.machine.kill("closed");
    await this.#parts.release.run();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #asking<T>(doing: string, ask: (agent: Agent) => Promise<T>): Promise<T> {
    if (this.#closed !== null) {
      throw new MicroagentError("closed", `Workspace "${this.name}" is closed`);
    }
    return await this.explaining(doing, ask(this.#parts.agent));
  }
}
