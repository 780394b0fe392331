import { errorJson } from "../../base/error-json.ts";
import { asMicroagentError, isTimeout, MicroagentError } from "../../base/errors.ts";
import type { Op } from "../../base/op.ts";
import type { GuestHello } from "../../channel/handshake.ts";
import type { ChannelStream } from "../../channel/stream.ts";
import type { MachineExit } from "../../supervisor/port.ts";
import { environmentOf } from "../command.ts";
import type { Engine } from "../engine.ts";
import { patienceMs } from "../last-bytes.ts";
import { machineEnded } from "../machine-failure.ts";
import type { Termination } from "../termination.ts";
import type { ControlHost, ControlVerb } from "./control-server.ts";
import { Idleness } from "./idleness.ts";
import type { WorkspaceRecord } from "./record.ts";
import { type StartedMachine, snapshotsDir } from "./start-machine.ts";
import type { StateNote, WorkspaceState } from "./state.ts";
import { runWorkload, workloadOf } from "./workload.ts";
import { wrongState } from "./wrong-state.ts";

/** How a workspace's run ended, for its state. */
export interface Outcome {
  readonly state: WorkspaceState;
  readonly reason: string | null;
  readonly error: StateNote["error"];
}

type Note = (state: WorkspaceState, more?: Partial<StateNote>) => Promise<void>;

/** An orderly end when nobody waits for it. */
const quietHaltMs = 10_000;
/** Freezing, saving and their like. */
const verbMs = 10 * 60_000;

/** A running machine with the verbs of its holder; one of them at a time. */
export class HeldMachine implements ControlHost {
  /** Resolves when the machine has gone, whatever ended it. */
  readonly ended: Promise<Outcome>;
  readonly #op: Op;
  readonly #engine: Engine;
  readonly #started: StartedMachine;
  readonly #record: WorkspaceRecord;
  readonly #note: Note;
  #state: WorkspaceState = "running";
  /** What the end is to be called, once somebody has asked for it. */
  #wanted: Outcome | null = null;
  #isOver = false;
  readonly #idleness: Idleness;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(
    op: Op,
    engine: Engine,
    started: StartedMachine,
    record: WorkspaceRecord,
    note: Note,
  ) {
    this.#op = op;
    this.#engine = engine;
    this.#started = started;
    this.#record = record;
    this.#note = note;
    this.#idleness = new Idleness(op.clock);
    this.ended = started.workspace.exit.then((exit) => {
      this.#isOver = true;
      return this.#wanted ?? outcomeOf(exit);
    });
  }

  get hello(): Omit<GuestHello, "session"> {
    return this.#started.workspace.agent.hello;
  }

  get unable(): string | null {
    return this.#state === "running" ? null : `Workspace "${this.#name}" is ${this.#state}`;
  }

  complete(request: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
    const { workspace, request: plan } = this.#started;
    const { config } = workspace.report.image;
    const { cwd, user, env } = request;
    const given = Array.isArray(env) ? env.filter((each) => typeof each === "string") : [];
    const own = environmentOf(config, { ...workspace.attachments.env, ...plan.env });
    return {
      ...request,
      env: [...new Map([...own, ...given].map((line) => [line.split("=", 1)[0], line])).values()],
      cwd: typeof cwd === "string" && cwd !== "" ? cwd : config.workingDir || "/",
      user: typeof user === "string" && user !== "" ? user : config.user,
    };
  }

  async relay(op: Op, request: Readonly<Record<string, unknown>>): Promise<ChannelStream> {
    return await this.#started.workspace.agent.relay(op, request);
  }

  begin(): () => void {
    return this.#idleness.begin();
  }

  /** Powers the machine off once nobody has used it for so long. */
  endWhenIdle(seconds: number): void {
    void this.#idleness.lasted(this.#op, seconds * 1000).then(
      () => this.haltOrKill(`Nobody used it for ${seconds} s`),
      // It has ended before.
      () => {},
    );
  }

  control(_op: Op, verb: ControlVerb): Promise<Readonly<Record<string, unknown>>> {
    // A kill does not wait for anything that may hang. The others outlive the client that asked.
    if (verb.op === "hold.kill") return this.#kill(verb.reason);
    const turn = this.#turn.then(() => this.#take(verb));
    this.#turn = turn.catch(() => {});
    return turn;
  }

  /** Runs what the workspace is for, where it is for something; its end ends the workspace. */
  startWorkload(): void {
    const { plan } = this.#record;
    const command = workloadOf(plan);
    if (command === null) return;
    const isBounded = plan.provenance.timeoutSeconds === "flag";
    const timeoutMs = isBounded ? plan.timeoutSeconds * 1000 : null;
    void runWorkload(this.#op, this.#engine.layout, this.#started, command, timeoutMs)
      .then(outcomeOfWorkload, failedWith)
      .then((outcome) => this.#endAs(outcome))
      .then(() => this.#started.workspace.powerOff(this.#op));
  }

  /** Ends the machine in good order, or else at once. */
  async haltOrKill(reason: string): Promise<void> {
    try {
      await this.control(this.#op, { op: "hold.halt", reason, within_ms: quietHaltMs });
    } catch {
      await this.#kill(reason);
    }
  }

  get #name(): string {
    return this.#started.workspace.name;
  }

  async #take(verb: Exclude<ControlVerb, { op: "hold.kill" }>): Promise<Record<string, unknown>> {
    switch (verb.op) {
      case "hold.pause":
        return await this.#pause();
      case "hold.resume":
        return await this.#resume();
      case "hold.snapshot":
        return await this.#snapshot(verb.tag);
      case "hold.halt":
        return await this.#halt(verb.reason, verb.within_ms);
    }
  }

  async #pause(): Promise<Record<string, unknown>> {
    if (this.#state !== "running") throw wrongState(this.#name, this.#state, "be paused");
    await this.#step("pause", (op) => this.#started.workspace.pause(op));
    await this.#become("paused");
    return {};
  }

  async #resume(): Promise<Record<string, unknown>> {
    if (this.#state !== "paused") throw wrongState(this.#name, this.#state, "be resumed");
    await this.#step("resume", (op) => this.#started.workspace.resume(op));
    await this.#become("running");
    return {};
  }

  async #snapshot(tag: string): Promise<Record<string, unknown>> {
    const { workspace } = this.#started;
    if (this.#state !== "running" && this.#state !== "paused") {
      throw wrongState(this.#name, this.#state, "be saved");
    }
    const wasPaused = this.#state === "paused";
    const { snapshotWorkspace } = await import("../templates/snapshots.ts");
    // The guest has to take part: it writes its disk and gives new random numbers to what goes on.
    if (wasPaused) await this.#step("resume", (op) => workspace.resume(op));
    try {
      return await this.#step("snapshot", async (op) => {
        const { agent, attachments, report } = workspace;
        const holdsSecrets = this.#record.plan.secrets.files.length > 0;
        if (holdsSecrets) await agent.purgeSecrets(op);
        try {
          const into = snapshotsDir(this.#engine, this.#name);
          const { createdAt } = await snapshotWorkspace(op, this.#engine, workspace, tag, into);
          return { tag, created_at: createdAt.toISOString(), secrets_purged: holdsSecrets };
        } finally {
          if (holdsSecrets) await attachments.deliver(op, agent, report.image.config.user);
        }
      });
    } finally {
      if (wasPaused) await this.#step("pause", (op) => workspace.pause(op));
    }
  }

  async #halt(reason: string | null, withinMs: number): Promise<Record<string, unknown>> {
    const { workspace } = this.#started;
    const before = this.#state;
    if (before === "paused") await this.#step("resume", (op) => workspace.resume(op));
    await this.#become("stopping");
    this.#wanted = { state: "halted", reason, error: null };
    try {
      await this.#op.step(
        "halt",
        async (op) => {
          // Of commands that ended before; those that run are ended by the guest.
          await workspace.lastBytes(op, Math.min(patienceMs, withinMs / 4));
          await workspace.agent.powerOff(op, Math.min(2_000, withinMs));
          await op.race(workspace.exit);
        },
        { timeoutMs: withinMs },
      );
    } catch (error) {
      this.#wanted = null;
      await this.#become("running");
      throw isTimeout(error) ? haltTimedOut(this.#name, withinMs) : error;
    }
    return {};
  }

  async #kill(reason: string | null): Promise<Record<string, unknown>> {
    this.#endAs({ state: "stopped", reason, error: null });
    await this.#started.workspace.close();
    return {};
  }

  #endAs(outcome: Outcome): void {
    this.#wanted ??= outcome;
  }

  async #become(state: WorkspaceState): Promise<void> {
    this.#state = state;
    if (!this.#isOver) await this.#note(state);
  }

  #step<T>(name: string, work: (op: Op) => Promise<T>): Promise<T> {
    return this.#op.step(name, work, { timeoutMs: verbMs });
  }
}

function outcomeOf(exit: MachineExit): Outcome {
  if (exit.kind === "guest-shutdown") {
    return { state: "stopped", reason: "The guest powered itself off", error: null };
  }
  return failedWith(machineEnded(exit, "running"));
}

function outcomeOfWorkload(end: Termination): Outcome {
  if (end.kind === "exited" && end.exitCode === 0) {
    return { state: "stopped", reason: null, error: null };
  }
  if ("error" in end) return failedWith(end.error);
  const what = {
    exited: () => (end.kind === "exited" ? `exit code ${end.exitCode}` : ""),
    signaled: () => (end.kind === "signaled" ? `signal ${end.signal}` : ""),
    timed_out: () => "a timeout",
    interrupted: () => "an interruption",
  }[end.kind]();
  return { state: "failed", reason: `Its command ended with ${what}`, error: null };
}

function haltTimedOut(name: string, withinMs: number): MicroagentError {
  const message = `Workspace "${name}" did not power off within ${withinMs} ms`;
  return new MicroagentError("timeout", message, {
    step: "halt",
    hint: `Give it more time with --timeout, or end it at once with: microagent kill ${name} --reason TEXT`,
  });
}

function failedWith(error: unknown): Outcome {
  const known: MicroagentError = asMicroagentError(error);
  return { state: "failed", reason: known.message, error: errorJson(known) };
}
