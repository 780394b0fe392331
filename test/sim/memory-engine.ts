import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { duplexPair } from "node:stream";
import { expect } from "vitest";
import { stateLayout } from "../../src/host/state-layout.ts";
import type { Supervisor } from "../../src/supervisor/port.ts";
import type { BootBounds } from "../../src/workspace/boot.ts";
import type { DispatchRequest } from "../../src/workspace/dispatch.ts";
import type { Engine } from "../../src/workspace/engine.ts";
import { serveOrder } from "../../src/workspace/held/serve-order.ts";
import {
  createMemorySupervisor,
  type MemoryOptions,
  type MemorySupervisor,
} from "../../supervisors/memory/index.ts";
import { someBoot } from "../support/boot-request.ts";
import { someHost, someKernel } from "../support/machine-request.ts";

/** The real engine over machines in memory: real state files, no image, no kernel, no VMM. */
export async function memoryEngine(
  dir: string,
  options: MemoryOptions,
): Promise<{ engine: Engine; supervisor: MemorySupervisor }> {
  const layout = stateLayout({ stateDir: join(dir, "state") });
  const supervisor = createMemorySupervisor(options);
  const base = join(dir, "base.erofs");
  await writeFile(base, "");
  const kernel = {
    image: someKernel(),
    name: "memory",
    source: "path" as const,
    modulesDir: null,
    modules: [],
    notes: [],
  };
  const engine: Engine = {
    layout,
    templateBytesMax: 64 * 1024 * 1024,
    launch: async () => {
      const [ours, theirs] = duplexPair();
      // As with sockets, one end learns that the other has gone.
      ours.once("close", () => theirs.destroy());
      const own = { channel: theirs, stop: new AbortController().signal, takeEnvironment() {} };
      void serveOrder(own, () => engine);
      return ours;
    },
    images: {
      resolve: async (_op, request) => ({
        reference: request.image,
        resolvedRef: `${request.image}@sha256:0`,
        digest: "sha256:0",
        arch: "x86_64",
        config: {
          user: "",
          workingDir: "/",
          env: ["PATH=/bin"],
          entrypoint: [],
          cmd: ["true"],
          stopSignal: "SIGTERM",
          labels: {},
          exposedPorts: [],
        },
        layers: [],
        origin: "cache",
      }),
      base: async () => ({ path: base, sizeBytes: 0, format: "erofs", digest: "sha256:0" }),
      pin: async () => ({ async [Symbol.asyncDispose]() {} }),
    },
    kernels: {
      resolve: async () => kernel,
      installed: async () => kernel,
      initramfs: async () => join(dir, "initramfs"),
    },
    supervisors: {
      select: async () => ({
        supervisor: supervisor as Supervisor,
        host: { ...someHost(), accel: "none", accelReason: "In memory" },
        snapshots: supervisor.snapshots,
      }),
    },
  };
  return { engine, supervisor };
}

/** Fails when a machine, a runtime directory or a lease is left. */
export async function expectNothingLeft(
  engine: Engine,
  supervisor: MemorySupervisor,
): Promise<void> {
  expect(supervisor.control.running).toEqual([]);
  expect(await readdir(engine.layout.runtime).catch(() => [])).toEqual([]);
  expect(await readdir(engine.layout.leases).catch(() => [])).toEqual([]);
}

/** So long that only a guest that never answers runs into them, however busy this host is. */
export const ampleBounds: BootBounds = { pullMs: 20_000, bootMs: 20_000 };

/** For a guest that never answers: the shorter, the sooner it is given up. */
export const shortBounds: BootBounds = { pullMs: 20_000, bootMs: 250 };

/** A request with everything ordinary, for changing. */
export function someDispatch(dir: string, change: Partial<DispatchRequest> = {}): DispatchRequest {
  return {
    boot: someBoot("local/sim", {
      name: "sim",
      memoryMib: 64,
      sizeMib: 16,
      hostname: "sim",
      bounds: ampleBounds,
    }),
    setup: [],
    useTemplates: true,
    files: [],
    fetches: [],
    command: { kind: "argv", argv: ["echo", "hello"] },
    shell: "/bin/sh",
    env: {},
    outputs: [],
    outputDir: join(dir, "out"),
    requireOutputs: false,
    timeoutMs: 20_000,
    keep: false,
    ...change,
  };
}
