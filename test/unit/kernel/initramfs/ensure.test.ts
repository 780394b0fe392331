import { mkdir, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { withOp } from "../../../../src/base/op.ts";
import { stateLayout } from "../../../../src/host/state-layout.ts";
import { sha256Of } from "../../../../src/kernel/hash-file.ts";
import { ensureInitramfs } from "../../../../src/kernel/initramfs/ensure.ts";
import type { InstalledKernel, KernelModule } from "../../../../src/kernel/installed-kernel.ts";
import { someKernel } from "../../../support/machine-request.ts";
import { readCpio } from "./read-cpio.ts";

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "microagent-initramfs-"));
  await mkdir(join(dir, "modules"));
  await writeFile(join(dir, "agent"), "the agent");
});
afterEach(async () => {
  await rm(dir, { recursive: true, force: true });
});

async function module(file: string, phase: KernelModule["phase"]): Promise<KernelModule> {
  await writeFile(join(dir, "modules", file), `content of ${file}`);
  return { file, phase, sha256: sha256Of(`content of ${file}`) };
}

function kernelWith(modules: readonly KernelModule[]): InstalledKernel {
  return {
    image: someKernel(),
    name: "test",
    source: "apt",
    modulesDir: join(dir, "modules"),
    modules,
    notes: [],
  };
}

function ensure(kernel: InstalledKernel, agent = join(dir, "agent")): Promise<string> {
  const layout = stateLayout({ stateDir: join(dir, "state") });
  return withOp("test", {}, (op) => ensureInitramfs(op, layout, kernel, agent));
}

describe("ensureInitramfs", () => {
  it("holds the agent as init, the console, and the modules in their order", async () => {
    const kernel = kernelWith([
      await module("virtio.ko", "boot"),
      await module("fuse.ko", "extra"),
      await module("tun.ko", "boot"),
    ]);
    const entries = readCpio(await readFile(await ensure(kernel)));
    const content = (path: string) => entries.find((entry) => entry.path === path)?.data.toString();
    expect(content("init")).toBe("the agent");
    expect(content("modules/order")).toBe("virtio.ko\ntun.ko\n");
    expect(content("modules/extra")).toBe("fuse.ko\n");
    expect(content("modules/tun.ko")).toBe("content of tun.ko");
    expect(entries.find(({ path }) => path === "init")?.mode).toBe(0o100755);
    expect(entries.find(({ path }) => path === "dev/console")?.rdev).toEqual([5, 1]);
  });

  it("holds the network process, which is part of the content", async () => {
    const kernel = kernelWith([]);
    const network = join(dir, "network");
    await writeFile(network, "the network");
    const layout = stateLayout({ stateDir: join(dir, "state") });
    const path = await withOp("test", {}, (op) =>
      ensureInitramfs(op, layout, kernel, join(dir, "agent"), network),
    );
    const entries = readCpio(await readFile(path));
    expect(entries.find((entry) => entry.path === "network")?.data.toString()).toBe("the network");
    expect(await ensure(kernel)).not.toBe(path);
  });

  it("has no modules directory for a kernel that needs none", async () => {
    const kernel = { ...kernelWith([]), modulesDir: null };
    const entries = readCpio(await readFile(await ensure(kernel)));
    expect(entries.filter(({ path }) => path.startsWith("modules"))).toEqual([]);
  });

  it("is made once per content", async () => {
    const kernel = kernelWith([await module("virtio.ko", "boot")]);
    const first = await ensure(kernel);
    const made = await stat(first);
    expect(await ensure(kernel)).toBe(first);
    expect((await stat(first)).ino).toBe(made.ino);
    expect(await ensure(kernelWith([await module("virtio.ko", "extra")]))).not.toBe(first);
    await writeFile(join(dir, "agent"), "another agent");
    expect(await ensure(kernel)).not.toBe(first);
  });

  it("many at once end with the same complete file", async () => {
    const kernel = kernelWith([await module("virtio.ko", "boot")]);
    const paths = await Promise.all(Array.from({ length: 8 }, () => ensure(kernel)));
    expect(new Set(paths).size).toBe(1);
    expect(await readdir(join(dir, "state", "cache"))).toHaveLength(1);
  });

  it("forgets files that nobody used for a month", async () => {
    const old = await ensure(kernelWith([]));
    const longAgo = new Date(Date.now() - 31 * 24 * 3_600_000);
    await utimes(old, longAgo, longAgo);
    const other = await ensure(kernelWith([await module("virtio.ko", "boot")]));
    expect(await readdir(join(dir, "state", "cache"))).toEqual([other.split("/").at(-1)]);
  });

  it("refuses a module that is not the one installed", async () => {
    const kernel = kernelWith([await module("virtio.ko", "boot")]);
    await writeFile(join(dir, "modules", "virtio.ko"), "something else");
    await expect(ensure(kernel)).rejects.toMatchObject({ code: "store_corrupt" });
  });

  it("says how to build an agent that is not there", async () => {
    await expect(ensure(kernelWith([]), join(dir, "none"))).rejects.toMatchObject({
      code: "host_tool_missing",
      hint: expect.stringContaining("build:guest"),
    });
  });
});
