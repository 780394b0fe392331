import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "vitest";
import { type Op, withOp } from "../../src/base/op.ts";
import type {
  Capabilities,
  HostFacts,
  Machine,
  MachineRequest,
} from "../../src/supervisor/port.ts";
import type { Backend } from "./backends.ts";

/** A backend that can run here, with a directory of its own and the machines that a test has started. */
export interface BackendUnderTest {
  readonly dir: string;
  readonly backend: Backend;
  readonly host: HostFacts;
  readonly capabilities: Capabilities;
  start(op: Op, request: MachineRequest): Promise<Machine>;
  /** Ends what was started, and sees that nothing of it is left. */
  endMachines(): Promise<void>;
  close(): Promise<void>;
}

export async function openBackend(
  open: (dir: string) => Promise<Backend>,
): Promise<BackendUnderTest> {
  const dir = await mkdtemp(join(tmpdir(), "microagent-contract-"));
  const backend = await open(dir);
  const probe = await withOp("probe", { timeoutMs: 60_000 }, (op) =>
    backend.supervisor.probe(op, backend.probeRequest),
  );
  if (!probe.ok) throw new Error(probe.refusals.map((each) => each.reason).join("; "));
  const { host, capabilities } = probe;
  const started: Machine[] = [];
  return {
    dir,
    backend,
    host,
    capabilities,
    async start(op, request) {
      const machine = await backend.supervisor.start(op, backend.supervisor.plan(request, host));
      started.push(machine);
      return machine;
    },
    async endMachines() {
      for (const machine of started.splice(0)) {
        await machine.kill("tear-down");
        expect(await backend.survivors(machine.name)).toBe(0);
      }
    },
    close: () => rm(dir, { recursive: true, force: true }),
  };
}

/** Runs a test body under a deadline that is generous even on an emulated, busy host. */
export function during<T>(work: (op: Op) => Promise<T>): Promise<T> {
  return withOp("contract", { timeoutMs: 90_000 }, work);
}
