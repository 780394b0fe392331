import { describe, expect, test } from "vitest";
import { withOp } from "../../../src/base/op.ts";
import type { ProbeRequest, Refusal } from "../../../src/supervisor/port.ts";
import { selectSupervisor } from "../../../src/supervisor/select.ts";
import { createMemorySupervisor } from "../../../supervisors/memory/supervisor.ts";
import { someKernel } from "../../support/machine-request.ts";

const request: ProbeRequest = {
  accel: "auto",
  kernel: someKernel(),
  initramfsPath: "/k/initramfs",
  cacheDir: "/none",
};

function refusing(...refusals: Refusal[]) {
  return createMemorySupervisor({ refusals });
}

const missing: Refusal = {
  supervisor: "qemu",
  code: "vmm_not_found",
  reason: 'Program "qemu-system-x86_64" is not installed',
  hint: "apt-get install --yes qemu-system-x86",
};
const noKvm: Refusal = {
  supervisor: "firecracker",
  code: "accel_unavailable",
  reason: "There is no /dev/kvm",
  hint: null,
};

describe("selectSupervisor", () => {
  test("takes the first that can run", async () => {
    const usable = createMemorySupervisor();
    const picked = await withOp("t", {}, (op) =>
      selectSupervisor(op, [refusing(missing), usable, createMemorySupervisor()], request),
    );
    expect(picked.supervisor).toBe(usable);
    expect(picked.probe.host.accel).toBe("none");
  });

  test("shows every refusal with its remedy when none can", async () => {
    const attempt = withOp("t", {}, (op) =>
      selectSupervisor(op, [refusing(missing), refusing(noKvm)], request),
    );
    await expect(attempt).rejects.toMatchObject({
      code: "vmm_not_found",
      message:
        'No supervisor can run machines on this host (qemu: Program "qemu-system-x86_64" is not installed; firecracker: There is no /dev/kvm)',
      hint: "qemu: apt-get install --yes qemu-system-x86",
      details: { refusals: [missing, noKvm] },
    });
  });

  test("nothing to choose from is an error of its own", async () => {
    await expect(withOp("t", {}, (op) => selectSupervisor(op, [], request))).rejects.toMatchObject({
      code: "host_unsupported",
    });
  });
});
