import { mkdir, mkdtemp, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Op } from "../../../src/base/op.ts";
import { withOp } from "../../../src/base/op.ts";
import { stateLayout } from "../../../src/host/state-layout.ts";
import { readFragment } from "../../../src/kernel/build/fragment.ts";
import { sha256Of } from "../../../src/kernel/hash-file.ts";
import { type Kernels, openKernels } from "../../../src/kernel/kernels.ts";
import type { KernelRecord } from "../../../src/kernel/record.ts";
import { makeBzImage, makeElf, makeVmlinux, ownConfig } from "./synthetic-kernel.ts";

let dir: string;
let kernels: Kernels;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "microagent-kernels-"));
  kernels = openKernels(stateLayout({ stateDir: join(dir, "state") }));
});
afterEach(async () => {
  await rm(dir, { recursive: true, force: true });
});

function run<T>(work: (op: Op) => Promise<T>): Promise<T> {
  return withOp("test", {}, work);
}

const storeDir = () => join(dir, "state", "kernels");

async function file(name: string, bytes: Uint8Array): Promise<string> {
  const path = join(dir, name);
  await mkdir(join(path, ".."), { recursive: true });
  await writeFile(path, bytes);
  return path;
}

const vmlinux = makeVmlinux({ version: "6.1.2-test", config: ownConfig });
const bzImage = makeBzImage(gzipSync(vmlinux), "6.1.2-test");

describe("a kernel by its path", () => {
  it("comes into the store in both forms, with what its configuration says", async () => {
    const path = await file("kernel", bzImage);
    const kernel = await run((op) => kernels.resolve(op, path, "x86_64"));
    expect(kernel).toMatchObject({ source: "path", modulesDir: null, notes: [] });
    expect(kernel.image).toMatchObject({
      flavor: "own",
      hz: 100,
      version: "6.1.2-test",
      arch: "x86_64",
      sha256: sha256Of(bzImage),
    });
    expect(await readFile(kernel.image.files.bzImage ?? "")).toEqual(bzImage);
    expect(await readFile(kernel.image.files.vmlinux ?? "")).toEqual(vmlinux);
  });

  it("is known by its content and can be named afterwards", async () => {
    const path = await file("kernel", bzImage);
    const first = await run((op) => kernels.resolve(op, path, "x86_64"));
    await rm(path);
    const again = await run((op) => kernels.resolve(op, first.name, "x86_64"));
    expect(again).toEqual(first);
  });

  it("without a configuration counts as a distribution kernel, and says what is unknown", async () => {
    const path = await file("kernel", makeVmlinux({ version: "5.4" }));
    const kernel = await run((op) => kernels.resolve(op, path, "x86_64"));
    expect(kernel.image.flavor).toBe("distribution");
    expect(kernel.notes.join(" ")).toMatch(/configuration is unknown.*No modules/);
  });

  it("finds configuration and modules where a distribution puts them", async () => {
    const path = await file(
      "root/boot/vmlinuz-5.4-x",
      makeBzImage(gzipSync(makeVmlinux({ version: "5.4-x" })), "5.4-x"),
    );
    await file("root/boot/config-5.4-x", Buffer.from("CONFIG_64BIT=y\nCONFIG_HZ=1000\n"));
    const modules = "root/lib/modules/5.4-x";
    await file(`${modules}/modules.builtin`, Buffer.from("kernel/fs/ext4/ext4.ko\n"));
    const modinfo = (text: string) => makeElf({ sections: { ".modinfo": Buffer.from(text) } });
    await file(`${modules}/kernel/virtio.ko`, modinfo("depends="));
    await file(`${modules}/kernel/virtio_blk.ko.gz`, gzipSync(modinfo("depends=virtio")));
    const kernel = await run((op) => kernels.resolve(op, path, "x86_64"));
    expect(kernel.image).toMatchObject({ flavor: "distribution", hz: 1000 });
    expect(kernel.modules.map((module) => module.file)).toEqual(["virtio.ko", "virtio_blk.ko"]);
    expect(kernel.notes).toContain(
      'Driver "overlay" is neither a module of this kernel nor built in',
    );
    expect(kernel.notes.join()).not.toContain("ext4");
    const unpacked = await readFile(join(kernel.modulesDir ?? "", "virtio_blk.ko"));
    expect(unpacked).toEqual(modinfo("depends=virtio"));
  });

  it.each([
    ["does not exist", "absent/kernel"],
    ["is a directory", "."],
  ])("that %s is kernel_not_found", async (_, name) => {
    await expect(run((op) => kernels.resolve(op, join(dir, name)))).rejects.toMatchObject({
      code: "kernel_not_found",
    });
    expect(await readdir(join(dir, "state")).catch(() => [])).not.toContain("kernels");
  });
});

describe("a kernel by its address", () => {
  let server: Server;
  let url: string;
  beforeEach(async () => {
    server = createServer((request, response) => {
      if (request.url === "/kernel") response.end(bzImage);
      else if (request.url === "/short") {
        response.writeHead(200, { "content-length": "100" });
        response.write("x", () => response.destroy());
      } else response.writeHead(404).end();
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterEach(() => new Promise((resolve) => server.close(resolve)));

  const install = (path: string, sha256: string) =>
    run((op) => kernels.install(op, { kind: "url", url: url + path, sha256 }));

  it("is installed when it is the promised one, and then not fetched again", async () => {
    const kernel = await install("/kernel", sha256Of(bzImage));
    expect(kernel.source).toBe("url");
    expect(await install("/gone", sha256Of(bzImage))).toEqual(kernel);
  });

  it("leaves nothing when it is not the promised one", async () => {
    await expect(install("/kernel", "1".repeat(64))).rejects.toMatchObject({
      code: "kernel_digest_mismatch",
      message: expect.stringContaining(sha256Of(bzImage)),
    });
    expect(await readdir(storeDir()).catch(() => [])).toEqual([]);
  });

  it.each(["/none", "/short"])("that answers badly (%s) is kernel_fetch_failed", async (path) => {
    await expect(install(path, "1".repeat(64))).rejects.toMatchObject({
      code: "kernel_fetch_failed",
    });
  });

  it("needs a sha256, and an address without credentials", async () => {
    await expect(install("/kernel", "abc")).rejects.toMatchObject({ code: "invalid_argument" });
    const request = {
      kind: "url",
      url: "http://user:secret@host/k",
      sha256: "1".repeat(64),
    } as const;
    const failure = await run((op) => kernels.install(op, request)).catch((error) => error);
    expect(failure).toMatchObject({ code: "invalid_argument" });
    expect(String(failure)).not.toContain("secret");
    const ftp = { kind: "url", url: "ftp://host/k", sha256: "1".repeat(64) } as const;
    await expect(run((op) => kernels.install(op, ftp))).rejects.toMatchObject({
      code: "invalid_argument",
    });
  });
});

/** Puts a kernel into the store as if it had been installed from elsewhere. */
async function plant(name: string, change: Partial<KernelRecord>): Promise<void> {
  const path = await file(`planted-${name}`, makeVmlinux({ version: name, config: ownConfig }));
  const { name: stored } = await run((op) => kernels.resolve(op, path, "x86_64"));
  const record = JSON.parse(await readFile(join(storeDir(), stored, "kernel.json"), "utf8"));
  await mkdir(join(storeDir(), name));
  for (const entry of ["vmlinux", "config"]) {
    await writeFile(join(storeDir(), name, entry), await readFile(join(storeDir(), stored, entry)));
  }
  await writeFile(
    join(storeDir(), name, "kernel.json"),
    JSON.stringify({ ...record, name, ...change }),
  );
  await rm(join(storeDir(), stored), { recursive: true });
}

const build = { fragmentSha256: "f".repeat(64), sourceVersion: "6.1", compiler: "gcc" };

describe("the default kernel", () => {
  const defaultName = async () =>
    (await run((op) => kernels.resolve(op, undefined, "x86_64"))).name;

  it("is our own before the distribution's, and never one that was only named", async () => {
    await plant("named", { source: "path" });
    await plant("debian", { source: "apt", installedAt: "2026-03-01T00:00:00.000Z" });
    expect(await defaultName()).toBe("debian");
    await plant("own-old", { source: "built", build, installedAt: "2026-01-01T00:00:00.000Z" });
    expect(await defaultName()).toBe("own-old");
    expect((await run((op) => kernels.resolve(op, "distribution", "x86_64"))).name).toBe("debian");
    expect((await run((op) => kernels.resolve(op, "own", "x86_64"))).name).toBe("own-old");
  });

  it("is the one of this version's fragment before a newer build of another", async () => {
    const fragmentSha256 = (await readFragment("x86_64"))?.sha256 ?? "";
    await plant("own-matching", {
      source: "built",
      build: { ...build, fragmentSha256 },
      installedAt: "2026-01-01T00:00:00.000Z",
    });
    await plant("own-other", { source: "built", build, installedAt: "2026-05-01T00:00:00.000Z" });
    expect(await defaultName()).toBe("own-matching");
  });

  it("is not one whose modules were chosen by another list", async () => {
    await plant("debian-old", { source: "apt", modulesRevision: 999 });
    await plant("debian", { source: "apt", installedAt: "2020-01-01T00:00:00.000Z" });
    expect(await defaultName()).toBe("debian");
  });

  it("named `own` says how to build it", async () => {
    await expect(run((op) => kernels.resolve(op, "own", "x86_64"))).rejects.toMatchObject({
      code: "kernel_not_found",
      hint: expect.stringContaining("microagent kernel build"),
    });
  });
});

describe("list", () => {
  it("shows what is installed with its default, and what could be had", async () => {
    await plant("debian", { source: "apt" });
    const listings = await run((op) => kernels.list(op));
    expect(
      listings.map(({ name, status, default: isDefault }) => ({ name, status, isDefault })),
    ).toEqual([
      { name: "debian", status: "installed", isDefault: true },
      { name: "own", status: "available", isDefault: false },
    ]);
    expect(listings[0]?.path).toBe(join(storeDir(), "debian"));
  });

  it("shows damage instead of failing on it, and ignores what is not a kernel", async () => {
    await plant("debian", { source: "apt" });
    await writeFile(join(storeDir(), "debian", "kernel.json"), '{"schema":1,"name":"../../etc"}');
    await mkdir(join(storeDir(), ".half-written"));
    await mkdir(join(storeDir(), "empty"));
    const listings = await run((op) => kernels.list(op));
    expect(listings.find(({ name }) => name === "debian")).toMatchObject({
      status: "damaged",
      default: false,
    });
    expect(listings.map(({ name }) => name)).not.toContain("empty");
  });
});

describe("verify", () => {
  it("finds every file that is not what it was, and says nothing of the rest", async () => {
    await plant("good", { source: "apt" });
    await plant("bad", { source: "built", build });
    const path = join(storeDir(), "bad", "vmlinux");
    const bytes = await readFile(path);
    bytes[200] = (bytes[200] ?? 0) ^ 1;
    await writeFile(path, bytes);
    await rm(join(storeDir(), "bad", "config"));
    const verified = await run((op) => kernels.verify(op));
    const problems = Object.fromEntries(verified.map(({ name, problems }) => [name, problems]));
    expect(problems.good).toEqual([]);
    expect(problems.bad?.join("\n")).toMatch(/"vmlinux" has sha256[\s\S]*"config" cannot be read/);
  });

  it("refuses a record that points outside its directory", async () => {
    await plant("bad", { source: "apt" });
    const path = join(storeDir(), "bad", "kernel.json");
    const record = JSON.parse(await readFile(path, "utf8"));
    record.files.vmlinux.file = "../good/vmlinux";
    await writeFile(path, JSON.stringify(record));
    const [verified] = await run((op) => kernels.verify(op));
    expect(verified?.problems.join()).toContain("files.vmlinux.file");
  });
});

describe("a damaged kernel", () => {
  it("does not boot: a file cut short is seen at once", async () => {
    await plant("debian", { source: "apt" });
    await truncate(join(storeDir(), "debian", "vmlinux"), 100);
    await expect(run((op) => kernels.resolve(op, "debian", "x86_64"))).rejects.toMatchObject({
      code: "store_corrupt",
      hint: expect.stringContaining("microagent kernel install"),
    });
  });

  it("is replaced by installing it again", async () => {
    const path = await file("kernel", bzImage);
    const { name } = await run((op) => kernels.resolve(op, path, "x86_64"));
    await rm(join(storeDir(), name, "vmlinux"));
    const again = await run((op) => kernels.resolve(op, path, "x86_64"));
    expect(await readFile(again.image.files.vmlinux ?? "")).toEqual(vmlinux);
    expect(await readdir(storeDir())).toEqual([name]);
  });

  it("many installing the same at once end with one sound kernel", async () => {
    const path = await file("kernel", bzImage);
    const all = await Promise.all(
      Array.from({ length: 6 }, () => run((op) => kernels.resolve(op, path, "x86_64"))),
    );
    expect(new Set(all.map(({ name }) => name)).size).toBe(1);
    expect(await readdir(storeDir())).toHaveLength(1);
    const [verified] = await run((op) => kernels.verify(op));
    expect(verified?.problems).toEqual([]);
  });
});

it("an unknown name lists what there is", async () => {
  await plant("debian", { source: "apt" });
  await expect(run((op) => kernels.resolve(op, "debain", "x86_64"))).rejects.toMatchObject({
    code: "kernel_not_found",
    message: expect.stringContaining('"debian"'),
  });
});
