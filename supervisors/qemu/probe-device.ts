import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { errnoOf } from "../../src/base/errors.ts";

/** Whether a hypervisor may be tried, or works; with the sentence that says why. */
export interface DeviceState {
  readonly usable: boolean;
  readonly reason: string;
  readonly hint: string | null;
}

/** Looks at the hypervisor's device. One that opens still has to prove itself by booting. */
export async function hypervisorDevice(
  native: "kvm" | "hvf",
  path = "/dev/kvm",
): Promise<DeviceState> {
  if (native === "hvf") return { usable: true, reason: "HVF is part of the system", hint: null };
  try {
    const device = await open(path, constants.O_RDWR | constants.O_NONBLOCK);
    await device.close();
    return { usable: true, reason: `${path} opens`, hint: null };
  } catch (error) {
    const errno = errnoOf(error) ?? "unknown";
    if (errno === "ENOENT") {
      return {
        usable: false,
        reason: `There is no ${path}`,
        hint: "Enable virtualisation in the firmware, or nested virtualisation where this host is a VM",
      };
    }
    return {
      usable: false,
      reason: `${path} cannot be opened (${errno})`,
      hint:
        errno === "EACCES" ? "sudo usermod --append --groups kvm $USER, then log in again" : null,
    };
  }
}
