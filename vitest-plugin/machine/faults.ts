import type { Disturbance } from "../../src/index.ts";
import { Files } from "./files.ts";

/** What can be made to go wrong in a machine that goes on. */
export abstract class Faults extends Files {
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

  async #disturb(name: string, disturbance: Disturbance): Promise<void> {
    await this.verb(name, (op) =>
      this.workspace.explaining(name, this.workspace.agent.disturb(op, disturbance)),
    );
  }
}
