import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { DiskAttachment, MachineRequest } from "../../../../src/supervisor/port.ts";
import { planQemu } from "../../../../supervisors/qemu/plan.ts";
import { someHost, someKernel, someRequest } from "../../../support/machine-request.ts";

const base: DiskAttachment = {
  id: "base",
  path: "/images/a,b=c.erofs",
  readOnly: true,
  durability: "disposable",
};
const upper: DiskAttachment = {
  id: "upper",
  path: "/w/upper.ext4",
  readOnly: false,
  durability: "durable",
};

/** The value after an option; every value when it is given several times. */
function valuesOf(args: readonly string[], option: string): string[] {
  return args.flatMap((arg, at) => (arg === option ? [args[at + 1] ?? ""] : []));
}

function plan(request: Partial<MachineRequest> = {}, host = someHost()) {
  return planQemu(someRequest(request), host);
}

describe("planQemu", () => {
  test("the whole line for our own kernel under emulation", () => {
    expect(plan({ disks: [base] }).args).toMatchInlineSnapshot(`
      [
        "-name",
        "microagent-m1",
        "-nodefaults",
        "-no-user-config",
        "-display",
        "none",
        "-no-reboot",
        "-machine",
        "microvm,acpi=off,rtc=on,isa-serial=on,dump-guest-core=off,mem-merge=off",
        "-accel",
        "tcg,tb-size=64",
        "-cpu",
        "Westmere-v1,+rdrand",
        "-smp",
        "1",
        "-m",
        "256M",
        "-kernel",
        "/k/vmlinux",
        "-initrd",
        "/k/initramfs",
        "-append",
        "console=ttyS0 quiet panic=-1 reboot=t norandmaps tsc_early_khz=2596130 tsc=reliable no_timer_check noreplace-smp nolapic_timer",
        "-chardev",
        "socket,id=console,fd=5",
        "-serial",
        "chardev:console",
        "-device",
        "virtio-serial-device,bus=virtio-mmio-bus.7,max_ports=2",
        "-chardev",
        "socket,id=agent,fd=3",
        "-device",
        "virtserialport,chardev=agent,name=microagent.agent.0",
        "-chardev",
        "socket,id=control,fd=4",
        "-mon",
        "chardev=control,mode=control",
        "-object",
        "rng-random,id=rng0,filename=/dev/urandom",
        "-device",
        "virtio-rng-device,bus=virtio-mmio-bus.6,rng=rng0",
        "-blockdev",
        "{"node-name":"disk0","driver":"raw","read-only":true,"discard":"ignore","cache":{"direct":false,"no-flush":false},"file":{"driver":"file","filename":"/images/a,b=c.erofs","aio":"threads","locking":"off","discard":"ignore","cache":{"direct":false,"no-flush":false}}}",
        "-device",
        "virtio-blk-device,bus=virtio-mmio-bus.5,id=dev0,drive=disk0,serial=base",
        "-sandbox",
        "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
      ]
    `);
  });

  test("a distribution kernel gets the board with timers, by PVH before QEMU 10, by bzImage after", () => {
    const kernel = someKernel({ flavor: "distribution", hz: 250 });
    const old = plan({ kernel }).args;
    expect(valuesOf(old, "-machine")[0]).toMatch(/^q35,/);
    expect(valuesOf(old, "-kernel")).toEqual(["/k/vmlinux"]);
    expect(valuesOf(old, "-append")[0]).toContain("cryptomgr.notests");
    expect(valuesOf(old, "-device").join(" ")).toMatch(/virtio-serial-pci.*virtio-rng-pci/);
    const recent = plan({ kernel }, someHost({ vmmVersion: "10.0.13" })).args;
    expect(valuesOf(recent, "-kernel")).toEqual(["/k/bzImage"]);
    expect(valuesOf(plan({}, someHost({ vmmVersion: "10.0.13" })).args, "-kernel")).toEqual([
      "/k/vmlinux",
    ]);
  });

  test("a kernel without the preferred form boots in the other one", () => {
    const files = { bzImage: "/k/bzImage", vmlinux: null, image: null };
    expect(valuesOf(plan({ kernel: someKernel({ files }) }).args, "-kernel")).toEqual([
      "/k/bzImage",
    ]);
    const none = someKernel({ files: { bzImage: null, vmlinux: null, image: null } });
    expect(() => plan({ kernel: none })).toThrow(/no form that QEMU can boot/);
  });

  test("with a hypervisor the host's CPU is used and no emulation word is left", () => {
    const args = plan({}, someHost({ accel: "kvm" })).args;
    expect(valuesOf(args, "-cpu")).toEqual(["host"]);
    expect(valuesOf(args, "-accel")).toEqual(["kvm"]);
    expect(valuesOf(args, "-append")).toEqual(["console=ttyS0 quiet panic=-1 reboot=t"]);
  });

  test("an unreliable counter is not vouched for, several CPUs keep their timers", () => {
    const line = valuesOf(plan({ cpus: 2 }, someHost({ tscKhz: null })).args, "-append")[0];
    expect(line).toBe(
      "console=ttyS0 quiet panic=-1 reboot=t norandmaps no_timer_check noreplace-smp",
    );
  });

  test("aarch64 gets the virt board, its own console and the flat image", () => {
    const files = { bzImage: null, vmlinux: null, image: "/k/Image" };
    const kernel = someKernel({ arch: "aarch64", files });
    const args = plan({ kernel }, someHost({ arch: "aarch64" })).args;
    expect(valuesOf(args, "-machine")[0]).toMatch(/^virt,/);
    expect(valuesOf(args, "-kernel")).toEqual(["/k/Image"]);
    expect(valuesOf(args, "-append")).toEqual(["console=ttyAMA0 quiet panic=-1 norandmaps"]);
  });

  test("disks keep their order, ids, sharing and durability", () => {
    const scratch = { ...upper, id: "scratch", durability: "disposable" } as const;
    const args = plan({ disks: [base, upper, scratch] }).args;
    const nodes = valuesOf(args, "-blockdev").map((text) => JSON.parse(text));
    expect(nodes).toMatchObject([
      {
        "read-only": true,
        cache: { "no-flush": false },
        file: { filename: "/images/a,b=c.erofs", locking: "off" },
      },
      { "read-only": false, cache: { "no-flush": false }, file: { locking: "auto" } },
      { "read-only": false, cache: { "no-flush": true } },
    ]);
    expect(valuesOf(args, "-device").filter((each) => each.startsWith("virtio-blk"))).toEqual([
      "virtio-blk-device,bus=virtio-mmio-bus.5,id=dev0,drive=disk0,serial=base",
      "virtio-blk-device,bus=virtio-mmio-bus.4,id=dev1,drive=disk1,serial=upper",
      "virtio-blk-device,bus=virtio-mmio-bus.2,id=dev2,drive=disk2,serial=scratch",
    ]);
    expect(plan({ disks: [base, scratch] }).disposable).toBe(true);
    expect(plan({ disks: [base, upper] }).disposable).toBe(false);
  });

  test("QEMU is confined where it can confine itself", () => {
    expect(valuesOf(plan().args, "-sandbox")[0]).toMatch(/spawn=deny/);
    const { args } = planQemu(someRequest(), someHost(), { sandbox: false });
    expect(args).not.toContain("-sandbox");
  });

  test("the CPU model can be replaced", () => {
    const { args } = planQemu(someRequest(), someHost(), { cpuModel: "max" });
    expect(valuesOf(args, "-cpu")).toEqual(["max"]);
  });

  test.each<[string, Partial<MachineRequest>]>([
    ["name", { name: "a b" }],
    ["memory", { memoryMib: 1.5 }],
    ["memory", { memoryMib: 8 }],
    ["cpus", { cpus: 0 }],
    ["cpus", { cpus: 17 }],
    ["disk id", { disks: [{ ...base, id: "Base,drive=x" }] }],
    ["disk id", { disks: [{ ...base, id: "a-very-long-disk-identity" }] }],
    ["disk twice", { disks: [base, base] }],
    ["disk count", { disks: Array.from({ length: 6 }, (_, n) => ({ ...base, id: `d${n}` })) }],
    ["relative path", { disks: [{ ...base, path: "a.erofs" }] }],
    ["kernel word", { cmdline: ["a b"] }],
    ["kernel word", { cmdline: ["a\nb"] }],
    ["long line", { cmdline: ["x".repeat(3_000)] }],
    ["arch", { kernel: someKernel({ arch: "aarch64" }) }],
  ])("refuses a bad %s", (_what, change) => {
    expect(() => plan(change)).toThrow(expect.objectContaining({ code: "invalid_argument" }));
  });

  test("is pure: equal requests give equal plans and no argument can become an option", () => {
    const word = fc.stringMatching(/^[\x21-\x7e]{1,20}$/);
    const path = fc.string({ minLength: 1, maxLength: 40 }).map((text) => `/${text}`);
    const requests = fc.record({
      memoryMib: fc.integer({ min: 48, max: 65_536 }),
      cpus: fc.integer({ min: 1, max: 16 }),
      cmdline: fc.array(word, { maxLength: 5 }),
      diskPath: path.filter((text) => !text.includes("\0")),
    });
    fc.assert(
      fc.property(requests, ({ diskPath, ...change }) => {
        const request = { ...change, disks: [{ ...base, path: diskPath }] };
        const first = plan(request);
        expect(plan(structuredClone(request))).toEqual(first);
        const flags = ["-nodefaults", "-no-user-config", "-no-reboot"];
        const paired = first.args.filter((arg) => !flags.includes(arg));
        expect(paired.filter((_, at) => at % 2 === 0).every((each) => each.startsWith("-"))).toBe(
          true,
        );
        const node = JSON.parse(valuesOf(first.args, "-blockdev")[0] ?? "");
        expect(node.file.filename).toBe(diskPath);
      }),
    );
  });
});
