import type { RunnerTask, RunnerTestFile } from "vitest";
import {
  admitSpare,
  isRoomWanted,
  type Op,
  openTemplatePool,
  randomHex,
  realClock,
  type SpareAdmission,
  type Template,
  type TemplatePool,
  type Workspace,
} from "../../src/index.ts";
import type { Host } from "./host.ts";

/** A machine that stood ready, with the room it has. */
export interface ReadyMachine {
  readonly workspace: Workspace;
  readonly waitedMs: 0;
  giveBack(): Promise<void>;
}

/** Machines of one kind can stand in for each other. */
export interface WarmKind {
  readonly template: Template;
  readonly hostname: string;
}

/** A test that has just begun has the processors first. */
const laterMs = 100;
/** Who waits for room waits at most so much longer than without us. */
const lookMs = 150;

/** Room of a machine that stands ready. */
class Place implements AsyncDisposable {
  readonly #admission: SpareAdmission;

  constructor(admission: SpareAdmission) {
    this.#admission = admission;
  }

  async giveTo(group: string): Promise<void> {
    await this.#admission.giveTo(group);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#admission.release();
  }
}

/**
 * Machines that stand ready for the tests of a file that are still to come: of each kind that one of its tests has
 * had. They keep nobody from starting: where somebody waits for room, they go.
 */
class WarmMachines {
  readonly #pools = new Map<string, TemplatePool>();
  readonly #asked = new Set<string>();
  #cancels: (() => void)[] = [];
  #looking: Promise<void> = Promise.resolve();
  #file: RunnerTestFile | null = null;

  /** From now on these tests are run. */
  expect(file: RunnerTestFile): void {
    this.#file = file;
  }

  /** One that stands ready, for a group; null: none does, or none of this kind was wanted before. */
  async take(op: Op, host: Host, kind: WarmKind, group: string): Promise<ReadyMachine | null> {
    if (host.settings.warm === 0) return null;
    const key = `${kind.template.key} ${kind.hostname}`;
    const pool = this.#pools.get(key);
    if (pool === undefined) {
      this.#openLater(key, host, kind);
      return null;
    }
    const taken = await pool.takeReady(op);
    if (taken === null) return null;
    const { workspace, place } = taken;
    if (place instanceof Place) await place.giveTo(group);
    return { workspace, waitedMs: 0, giveBack: async () => await place?.[Symbol.asyncDispose]() };
  }

  /** Ends all of them, after the last test of a file. */
  async drain(): Promise<void> {
    for (const cancel of this.#cancels.splice(0)) cancel();
    await this.#looking;
    const pools = [...this.#pools.values()];
    this.#pools.clear();
    this.#asked.clear();
    await Promise.all(pools.map((pool) => pool[Symbol.asyncDispose]()));
  }

  #openLater(key: string, host: Host, kind: WarmKind): void {
    if (this.#asked.has(key)) return;
    this.#asked.add(key);
    this.#later(laterMs, async () => {
      this.#pools.set(key, this.#open(host, kind));
      if (this.#pools.size === 1) this.#look(host);
    });
  }

  #open({ engine, settings }: Host, { template, hostname }: WarmKind): TemplatePool {
    const { memoryMib, cpus } = template.request.boot;
    const request = { memoryMib, cpus, group: `warm${randomHex(4)}` };
    return openTemplatePool(engine, template, {
      size: () => Math.min(settings.warm, this.#toCome()),
      clone: () => ({
        name: `vitest-${hostname.slice(0, 40)}-${randomHex(4)}`,
        hostname,
        bootMs: settings.timeouts.boot,
      }),
      async place(making) {
        const spare = await admitSpare(making, engine.layout, settings.budget, request);
        return spare === null ? null : new Place(spare);
      },
    });
  }

  /** Makes way for whoever waits, also in other workers and runs, and when there are more than tests to come. */
  #look(host: Host): void {
    this.#later(lookMs, async () => {
      const pools = [...this.#pools.values()].filter((pool) => pool.readyCount > 0);
      const count = pools.reduce((total, pool) => total + pool.readyCount, 0);
      if (count > this.#toCome() || (count > 0 && (await isRoomWanted(host.engine.layout)))) {
        await pools[0]?.makeWay();
      }
      this.#look(host);
    });
  }

  #later(ms: number, work: () => Promise<void>): void {
    const cancel = realClock.after(ms, () => {
      this.#cancels = this.#cancels.filter((each) => each !== cancel);
      // What stands ready is a convenience: a test that finds none starts its own.
      this.#looking = work().catch(() => {});
    });
    this.#cancels.push(cancel);
  }

  #toCome(): number {
    return this.#file === null ? 0 : testsToCome(this.#file);
  }
}

function testsToCome(task: RunnerTask): number {
  if (task.type === "suite") {
    return task.tasks.reduce((total, each) => total + testsToCome(each), 0);
  }
  const isToRun = task.mode === "run" || task.mode === "queued";
  return isToRun && task.result === undefined ? 1 : 0;
}

const key = Symbol.for("microagent.vitest.warm");

/** Those of this worker. */
export function warmMachines(): WarmMachines {
  const holder = globalThis as { [key]?: WarmMachines };
  holder[key] ??= new WarmMachines();
  return holder[key];
}
