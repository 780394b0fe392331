// What the machine cases share: the image, the kernels, the host's facts, and machines of both kinds.
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { ScriptFailure } from "../scripts/steps.mjs";
import { resultsDir } from "./build-subject.mjs";
import { buildFloor } from "./floor/build.mjs";
import { startFloor } from "./floor/machine.mjs";
import {
  boot,
  createEngine,
  ensureInitramfs,
  makeEmptyExt4,
  nothingAttached,
  stateLayout,
  withOp,
} from "./product.mjs";

const image = "mmdebstrap:bookworm?variant=minbase";
const scratchMib = 2048;

/**
 * Everything the machine cases need, made on first use and then shared. `kernel` is a name of `microagent kernel
 * list`; without it our own kernel is wanted, because the targets are about it.
 */
export function openWorkbench({ kernel }) {
  const layout = stateLayout();
  const engine = createEngine(layout);
  let parts = null;

  async function prepare() {
    await mkdir(resultsDir, { recursive: true });
    return await withOp("bench", async (op) => {
      const stored = await engine.images.resolve(op, {
        image,
        pull: "missing",
        insecureRegistries: [],
        arch: undefined,
      });
      const base = await engine.images.base(op, stored);
      const own = await ownKernel(op, engine, kernel);
      const stock = await engine.kernels.resolve(op, "distribution", undefined);
      const init = await buildFloor(resultsDir);
      const initramfs = await engine.kernels.initramfs(op, own);
      const choice = await engine.supervisors.select(op, {
        accel: "auto",
        kernel: own,
        initramfsPath: initramfs,
      });
      const floors = {
        own: await ensureInitramfs(op, layout, own, init),
        stock: await ensureInitramfs(op, layout, stock, init),
      };
      return { base, own, stock, choice, floors };
    });
  }

  const ready = () => {
    parts ??= prepare();
    return parts;
  };

  return {
    image,
    layout,
    engine,
    ready,
    kernelName: async () => (await ready()).own.name,
    /** Boots a workspace as the product does; `onProgress` hears every step. */
    async bootWorkspace(size, onProgress) {
      const { own } = await ready();
      const request = { ...bootRequest(size), kernel: own.name };
      return await withOp("bench", (op) => boot(op, engine, request), onProgress);
    },
    /** A machine of the same plan as the product's, with the floor as its init. */
    async startFloor(size) {
      const { own, base, choice, floors } = await ready();
      return await rawMachine(size, (scratch, consolePath) => {
        const plan = choice.supervisor.plan(
          machineRequest(size, { own, base, scratch, consolePath, initramfs: floors.own }),
          choice.host,
        );
        return { file: plan.file, args: plan.args };
      });
    },
    /** What a template of these machines is made from. */
    async templateRequest(size) {
      const { own } = await ready();
      return {
        boot: { ...bootRequest(size), kernel: own.name },
        setup: ["/bin/true"],
        shell: "/bin/sh",
        env: {},
        files: [],
        ready: null,
        setupTimeoutMs: 60_000,
      };
    },
    /** The plan of a floor machine, booted and to be saved, or started from a saved one. */
    async floorPlan(size, { scratch, layers, dir, from }) {
      const { own, base, choice, floors } = await ready();
      const consolePath = join(dir, "console.log");
      const request = machineRequest(size, {
        ...{ own, base, scratch, consolePath, initramfs: floors.own },
      });
      const disks = request.disks.map((disk) =>
        disk.id === "scratch" && layers !== undefined ? { ...disk, layers } : disk,
      );
      return choice.supervisor.plan({ ...request, disks, saveable: true, from }, choice.host);
    },
    async startFloorBySupervisor(op, size, dir) {
      const { choice } = await ready();
      const scratch = join(dir, "..", `saved-floor-${process.pid}.ext4`);
      await makeEmptyExt4(op, scratch, scratchMib * 1024 * 1024, { label: "scratch" });
      return await choice.supervisor.start(op, await this.floorPlan(size, { scratch, dir }));
    },
    /** The distribution's kernel as anybody would start it: its bzImage on QEMU's default machine. */
    async startStock(size) {
      const { stock, base, choice, floors } = await ready();
      const bzImage = stock.image.files.bzImage;
      if (bzImage === null) throw new ScriptFailure(`Kernel "${stock.name}" has no bzImage`);
      return await rawMachine(size, (scratch) => ({
        file: choice.host.vmmPath,
        args: [
          ...["-accel", choice.host.accel, "-m", `${size.memoryMib}M`],
          ...["-display", "none", "-no-reboot"],
          ...["-kernel", bzImage, "-initrd", floors.stock],
          ...["-append", "console=ttyS0 quiet panic=-1"],
          ...["-chardev", "socket,id=agent,fd=3", "-device", "virtio-serial-pci"],
          ...["-device", "virtserialport,chardev=agent,name=microagent.agent.0"],
          ...["-chardev", "socket,id=control,fd=4", "-mon", "chardev=control,mode=control"],
          ...["-chardev", "socket,id=console,fd=5", "-serial", "chardev:console"],
          ...["-drive", `file=${base.path},if=virtio,format=raw,readonly=on`],
          ...["-drive", `file=${scratch},if=virtio,format=raw,cache=unsafe`],
        ],
      }));
    },
  };

  async function rawMachine(size, commandOf) {
    const name = `floor-${process.pid}-${++made}`;
    const scratch = join(resultsDir, `${name}.ext4`);
    await withOp("bench", (op) =>
      makeEmptyExt4(op, scratch, scratchMib * 1024 * 1024, { label: "scratch" }),
    );
    const { file, args } = commandOf(scratch, join(resultsDir, `${name}.log`));
    return startFloor({ file, args, scratch, memoryMib: size.memoryMib });
  }
}

let made = 0;

async function ownKernel(op, engine, selector) {
  const kernel = await engine.kernels.resolve(op, selector ?? "own", undefined);
  if (kernel.image.flavor === "own") return kernel;
  throw new ScriptFailure(`Kernel "${kernel.name}" is not our own`, "microagent kernel build");
}

function bootRequest(size) {
  return {
    name: `bench-${process.pid}-${++made}`,
    image,
    pull: "never",
    insecureRegistries: [],
    arch: undefined,
    accel: "auto",
    memoryMib: size.memoryMib,
    cpus: size.cpus,
    sizeMib: scratchMib,
    hostname: "bench",
    attach: nothingAttached,
    bounds: { pullMs: 60_000, bootMs: 60_000 },
  };
}

function machineRequest(size, { own, base, scratch, consolePath, initramfs }) {
  return {
    name: "floor",
    memoryMib: size.memoryMib,
    cpus: size.cpus,
    kernel: own.image,
    initramfsPath: initramfs,
    disks: [
      { id: "base", path: base.path, readOnly: true, durability: "disposable" },
      { id: "scratch", path: scratch, readOnly: false, durability: "disposable" },
    ],
    cmdline: [],
    consolePath,
  };
}
