import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { withOp } from "../../../src/base/op.ts";
import { stateLayout } from "../../../src/host/state-layout.ts";
import { hasPvhEntry } from "../../../src/kernel/formats/elf.ts";
import { openKernels } from "../../../src/kernel/kernels.ts";
import { openApt } from "../../../src/kernel/source/apt.ts";
import { followMetaPackage } from "../../../src/kernel/source/package-source.ts";

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "microagent-apt-"));
});
afterEach(async () => {
  delete process.env.APT_CONFIG;
  await rm(dir, { recursive: true, force: true });
});

/** Makes apt believe that nobody ever ran `apt-get update` on this host. */
async function hideHostLists(): Promise<void> {
  await mkdir(join(dir, "no-lists", "partial"), { recursive: true });
  await mkdir(join(dir, "no-cache"));
  const lines = [
    `Dir::State::lists "${join(dir, "no-lists")}/";`,
    `Dir::Cache::pkgcache "";`,
    `Dir::Cache::srcpkgcache "";`,
  ];
  await writeFile(join(dir, "apt.conf"), `${lines.join("\n")}\n`);
  process.env.APT_CONFIG = join(dir, "apt.conf");
}

describe("the distribution's kernel", () => {
  it("comes through apt, verified and unpacked, with the modules a workspace needs", async () => {
    const layout = stateLayout({ stateDir: join(dir, "state") });
    const kernels = openKernels(layout);
    const kernel = await withOp("test", {}, (op) => kernels.install(op, { kind: "distribution" }));
    expect(kernel.image.flavor).toBe("distribution");
    expect(kernel.image.version).toMatch(/^[0-9]+\.[0-9]+/);
    expect(kernel.notes).toEqual([]);
    const vmlinux = kernel.image.files.vmlinux;
    expect(vmlinux !== null && hasPvhEntry(await readFile(vmlinux))).toBe(true);
    expect(kernel.modules.map(({ file }) => file)).toContain("overlay.ko");
    const verified = await withOp("test", {}, (op) => kernels.verify(op));
    expect(verified.map(({ name, problems }) => ({ name, problems }))).toEqual([
      { name: kernel.name, problems: [] },
    ]);
    const again = await withOp("test", {}, (op) => kernels.install(op, { kind: "distribution" }));
    expect(again).toEqual(kernel);
    // Nothing of the download stays but the kernel.
    expect(await readdir(layout.kernels)).toEqual([kernel.name]);
    expect(await readdir(layout.cache).catch(() => [])).toEqual([]);
  });

  it("is found on a host that has no package lists, by lists of our own", async () => {
    await hideHostLists();
    const layout = stateLayout({ stateDir: join(dir, "state") });
    const packages = await withOp("test", {}, async (op) => {
      const apt = await openApt(layout);
      return followMetaPackage(op, apt, ["linux-image-cloud-amd64"], /^linux-image-[0-9]/);
    });
    expect(packages).toHaveLength(1);
    expect(await readdir(join(dir, "no-lists"))).toEqual(["partial"]);
  });
});
