import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type {
  Machine,
  MachineRequest,
  ProbeRequest,
  Supervisor,
} from "../../src/supervisor/port.ts";
import { createMemorySupervisor } from "../../supervisors/memory/supervisor.ts";
import { createQemuSupervisor } from "../../supervisors/qemu/supervisor.ts";
import { type BootKit, bootKit } from "../support/boot-kit.ts";
import { someKernel, someRequest } from "../support/machine-request.ts";

/** A backend under contract, and the means to hurt its machines from outside. */
export interface Backend {
  readonly supervisor: Supervisor;
  readonly probeRequest: ProbeRequest;
  /** A request that boots a guest with an agent in it. */
  readonly request: MachineRequest;
  /** A request whose guest kernel panics soon after the start. */
  panicking(dir: string): Promise<MachineRequest>;
  /** Kills the VMM as an administrator or the kernel's memory killer does. */
  killFromOutside(machine: Machine): void;
  /** How many machines with this name still exist on the host. */
  survivors(name: string): Promise<number>;
}

export const backends: Readonly<Record<string, (dir: string) => Promise<Backend>>> = {
  memory: async (dir) => {
    const supervisor = createMemorySupervisor();
    const request = someRequest({ consolePath: join(dir, "console.log") });
    return {
      supervisor,
      request,
      probeRequest: probeRequest({
        kernel: someKernel(),
        initramfsPath: "/k/initramfs",
        cacheDir: dir,
      }),
      panicking: async () => {
        supervisor.control.inject({ kind: "panics", afterMs: 20, detail: "no init" });
        return request;
      },
      killFromOutside: (machine) => supervisor.control.kill(machine.name, "SIGKILL"),
      survivors: async (name) =>
        supervisor.control.running.filter((running) => running === name).length,
    };
  },
  qemu: async (dir) => {
    const kit = await bootKit();
    const { kernel, initramfsPath } = kit;
    const consolePath = join(dir, "console.log");
    const request = someRequest({ kernel, initramfsPath, consolePath });
    return {
      supervisor: createQemuSupervisor() as Supervisor,
      request,
      probeRequest: probeRequest(kit),
      panicking: async () => {
        // Not an archive: the kernel finds no init in it, and no root either.
        const nothing = join(dir, "nothing.cpio");
        await writeFile(nothing, Buffer.alloc(512));
        return { ...request, initramfsPath: nothing };
      },
      killFromOutside: (machine) => {
        if (machine.pid !== null) process.kill(machine.pid, "SIGKILL");
      },
      survivors: countProcesses,
    };
  },
};

function probeRequest(kit: BootKit): ProbeRequest {
  return { accel: "auto", ...kit };
}

/** Processes of this host that carry a machine's name in their arguments. */
export async function countProcesses(machineName: string): Promise<number> {
  const wanted = `microagent-${machineName}`;
  let count = 0;
  for (const pid of (await readdir("/proc")).filter((name) => /^\d+$/.test(name))) {
    const args = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
    if (args.split("\0").includes(wanted)) count++;
  }
  return count;
}
