import { join } from "node:path";
import { MicroagentError } from "../base/errors.ts";
import type { Op } from "../base/op.ts";
import { hostEnvironment } from "../host/environment.ts";
import { withLock } from "../host/lock.ts";
import type { StateLayout } from "../host/state-layout.ts";
import type { Arch } from "../supervisor/port.ts";
import { readFragment } from "./build/fragment.ts";
import { chooseDefault } from "./default-kernel.ts";
import type { InstalledKernel } from "./installed-kernel.ts";
import { type KernelListing, listKernels } from "./list.ts";
import type { KernelRecord } from "./record.ts";
import { openStoredKernel, type StoredKernel, storedKernels } from "./store.ts";
import { type VerifiedKernel, verifyKernels } from "./verify.ts";

/*
 * Fetching and building are loaded when they are asked for: nearly every run finds its kernel there.
 */

/** What `install` puts into the store. */
export type KernelRequest =
  /** The distribution's kernel for virtual machines, its newest version. */
  | { readonly kind: "distribution" }
  | { readonly kind: "url"; readonly url: string; readonly sha256: string }
  | { readonly kind: "path"; readonly path: string };

/** The catalogue of kernels in one state directory. Every call may wait and takes an op. */
export interface Kernels {
  /** What is installed, and what could be. */
  list(op: Op): Promise<readonly KernelListing[]>;
  /**
   * The kernel for a selector: a path (with a slash), `own`, `distribution`, or a name of `list`;
   * without one the default, which is fetched from the distribution when there is none.
   */
  resolve(op: Op, selector: string | undefined, arch?: Arch): Promise<InstalledKernel>;
  install(op: Op, request: KernelRequest, arch?: Arch): Promise<InstalledKernel>;
  /** Reads every file of every installed kernel again. */
  verify(op: Op): Promise<readonly VerifiedKernel[]>;
  /** Builds our own kernel, which is the default from then on; a finished build is not repeated. */
  build(op: Op, arch?: Arch): Promise<InstalledKernel>;
}

/** Opens the catalogue; touches no file before the first call. */
export function openKernels(layout: StateLayout): Kernels {
  return new KernelStore(layout);
}

class KernelStore implements Kernels {
  readonly #layout: StateLayout;

  constructor(layout: StateLayout) {
    this.#layout = layout;
  }

  list(op: Op): Promise<readonly KernelListing[]> {
    return listKernels(op, this.#layout, hostEnvironment.arch);
  }

  async resolve(
    op: Op,
    selector: string | undefined,
    arch: Arch = hostEnvironment.arch,
  ): Promise<InstalledKernel> {
    if (selector?.includes("/") === true) {
      return this.install(op, { kind: "path", path: selector }, arch);
    }
    const stored = (await storedKernels(op, this.#layout)).filter(
      (kernel) => "damage" in kernel || kernel.record.arch === arch,
    );
    if (selector === undefined || selector === "own" || selector === "distribution") {
      const kernel = chooseDefault(stored, await readFragment(arch), selector);
      if (kernel !== null) return openStoredKernel(op, kernel.directory, kernel.record);
      if (selector === "own") throw notBuilt();
      return this.install(op, { kind: "distribution" }, arch);
    }
    const named = stored.find((kernel) => kernel.name === selector);
    if (named === undefined) throw unknownKernel(selector, stored);
    if ("damage" in named) throw named.damage;
    return openStoredKernel(op, named.directory, named.record);
  }

  async install(
    op: Op,
    request: KernelRequest,
    arch: Arch = hostEnvironment.arch,
  ): Promise<InstalledKernel> {
    switch (request.kind) {
      case "distribution":
        return this.#alone(op, "kernel-fetch", async (step) => {
          const { installDistributionKernel } = await import("./source/distribution.ts");
          return await installDistributionKernel(step, this.#layout, arch);
        });
      case "url":
        return this.#alone(op, "kernel-fetch", async (step) => {
          const { installKernelFromUrl } = await import("./source/download.ts");
          return await installKernelFromUrl(step, this.#layout, request.url, request.sha256);
        });
      case "path": {
        const { installLocalKernel } = await import("./source/local-file.ts");
        return this.#open(op, await installLocalKernel(op, this.#layout, request.path));
      }
    }
  }

  verify(op: Op): Promise<readonly VerifiedKernel[]> {
    return verifyKernels(op, this.#layout);
  }

  build(op: Op, arch: Arch = hostEnvironment.arch): Promise<InstalledKernel> {
    return this.#alone(op, "kernel-build", async (step) => {
      const { buildKernel } = await import("./build/build.ts");
      return await buildKernel(step, this.#layout, arch);
    });
  }

  /** Two runs never fetch or build the same thing at once: the second finds what the first left. */
  #alone(
    op: Op,
    lock: "kernel-fetch" | "kernel-build",
    work: (op: Op) => Promise<KernelRecord>,
  ): Promise<InstalledKernel> {
    return withLock(
      op,
      join(this.#layout.locks, lock),
      async (locked) => this.#open(locked, await work(locked)),
      { waitNote: "Waiting for another run that prepares a kernel" },
    );
  }

  #open(op: Op, record: KernelRecord): Promise<InstalledKernel> {
    return openStoredKernel(op, join(this.#layout.kernels, record.name), record);
  }
}

function notBuilt(): MicroagentError {
  return new MicroagentError(
    "kernel_not_found",
    "Our own kernel is not built in this state directory",
    {
      hint: "Build it with: microagent kernel build",
    },
  );
}

function unknownKernel(selector: string, stored: readonly StoredKernel[]): MicroagentError {
  const names = stored.map((kernel) => `"${kernel.name}"`).join(", ");
  return new MicroagentError(
    "kernel_not_found",
    `Kernel "${selector}" is not installed; found ${names === "" ? "none" : names}`,
    { hint: `For a file write its path with a slash: ./${selector}`, details: { selector } },
  );
}
