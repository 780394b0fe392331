import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { withOp } from "../../../src/base/op.ts";
import { stateLayout } from "../../../src/host/state-layout.ts";
import { ensureInitramfs } from "../../../src/kernel/initramfs/ensure.ts";
import { openKernels } from "../../../src/kernel/kernels.ts";
import type { KernelImage } from "../../../src/supervisor/port.ts";
import { tinyInit } from "./tiny-init.ts";

/*
 * Boots the kernels a user of this host would get, with an init that needs no agent. Emulated on
 * purpose: what is proved is that kernel, initramfs and console fit together, on any host.
 */

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "microagent-boot-"));
});
afterEach(async () => {
  await rm(dir, { recursive: true, force: true });
});

const bootMsMax = 120_000;

interface Boot {
  readonly exitCode: number | undefined;
  readonly console: string;
}

async function boot(image: KernelImage, kernelPath: string, initramfs: string): Promise<Boot> {
  const own = image.flavor === "own";
  const machine = own
    ? ["-M", "microvm,rtc=on,acpi=off,isa-serial=on", "-cpu", "Westmere-v1,+rdrand"]
    : ["-M", "q35", "-cpu", "Westmere-v1,+rdrand"];
  const consolePath = join(dir, "console");
  const result = await execa(
    "qemu-system-x86_64",
    [
      ...["-accel", "tcg", ...machine, "-m", "256", "-smp", "1", "-kernel", kernelPath],
      ...["-initrd", initramfs, "-append", "console=ttyS0 quiet reboot=t panic=-1"],
      ...["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"],
      ...["-serial", `file:${consolePath}`],
    ],
    { timeout: bootMsMax, forceKillAfterDelay: 1_000, reject: false },
  );
  return { exitCode: result.exitCode, console: await readFile(consolePath, "latin1") };
}

/**
 * The forms of a kernel that QEMU is given with `-kernel`. The emulator of QEMU 10 panics a stock kernel
 * entered through PVH in most boots, so there its boot image is the only form that counts.
 */
async function forms(image: KernelImage): Promise<string[]> {
  const { stdout } = await execa("qemu-system-x86_64", ["--version"]);
  const major = Number(/version (\d+)/.exec(stdout)?.[1]);
  const direct = image.flavor === "own" || major < 10;
  const paths = [image.files.bzImage, direct ? image.files.vmlinux : null];
  return paths.filter((path) => path !== null);
}

async function prepare(selector: string | undefined, then: "reboot" | "exit") {
  const agent = join(dir, "init");
  await writeFile(agent, tinyInit("init is running\n", then));
  const kernels = openKernels(stateLayout());
  return withOp("prepare", {}, async (op) => {
    const kernel = await kernels.resolve(op, selector, "x86_64");
    const layout = stateLayout({ stateDir: join(dir, "state") });
    return { image: kernel.image, initramfs: await ensureInitramfs(op, layout, kernel, agent) };
  });
}

describe.each([
  ["the default kernel", undefined],
  ["the distribution's kernel", "distribution"],
])("%s", (_, selector) => {
  it("runs the agent as init with the console open, in every form, and reboots into the end", async () => {
    const { image, initramfs } = await prepare(selector, "reboot");
    const paths = await forms(image);
    expect(paths.length).toBeGreaterThan(0);
    for (const path of paths) {
      const { exitCode, console } = await boot(image, path, initramfs);
      expect(console).toContain("init is running");
      expect(console).not.toContain("Kernel panic");
      expect(exitCode).toBe(0);
    }
  });

  it("shows its panic on the console when init ends, and the machine ends too", async () => {
    const { image, initramfs } = await prepare(selector, "exit");
    const { exitCode, console } = await boot(image, (await forms(image))[0] ?? "", initramfs);
    expect(console).toContain("init is running");
    expect(console).toMatch(
      /Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000300/,
    );
    expect(exitCode).toBe(0);
  });
});
