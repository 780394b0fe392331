import type { DiskAttachment, MachineRequest } from "../supervisor/port.ts";
import type { BootRequest } from "./boot.ts";
import type { Prepared } from "./prepare.ts";

/** What one machine has to itself. */
interface OwnParts extends Pick<MachineRequest, "consolePath" | "saveable" | "from"> {
  readonly writable: readonly DiskAttachment[];
}

/** The machine of a request: made of what is shared, the base below its own disks. */
export function machineRequest(
  request: Pick<BootRequest, "name" | "memoryMib" | "cpus">,
  prepared: Prepared,
  { writable, ...own }: OwnParts,
): MachineRequest {
  const { base, kernel, initramfs } = prepared;
  return {
    name: request.name,
    memoryMib: request.memoryMib,
    cpus: request.cpus,
    kernel: kernel.image,
    initramfsPath: initramfs,
    disks: [{ id: "base", path: base.path, readOnly: true, durability: "disposable" }, ...writable],
    cmdline: [],
    ...own,
  };
}
