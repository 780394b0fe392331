import { execFileSync } from "node:child_process";
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { withOp } from "../../../../src/base/op.ts";
import { configValue } from "../../../../src/kernel/formats/embedded-config.ts";
import { identifyKernel } from "../../../../src/kernel/formats/identify.ts";
import { makeBzImage, makeElf, makeVmlinux, ownConfig } from "../synthetic-kernel.ts";
import { packLz4Legacy } from "./lz4-blocks.ts";

const vmlinux = makeVmlinux({ version: "6.1.2-test", config: ownConfig });
const sizeField = Buffer.alloc(4, 9);

function identify(bytes: Uint8Array) {
  return withOp("test", {}, (op) => identifyKernel(op, bytes, "the file"));
}

/** A zstd frame of one uncompressed block: no tool is needed to make it. */
function zstdRaw(data: Uint8Array): Buffer {
  const head = Buffer.alloc(10);
  head.writeUInt32BE(0x28b52ffd, 0);
  // One segment, its size in two bytes, which count from 256.
  head[4] = 0x60;
  head.writeUInt16LE(data.length - 256, 5);
  head.writeUIntLE((data.length << 3) | 1, 7, 3);
  return Buffer.concat([head, data]);
}

describe("identifyKernel", () => {
  it.each([
    ["gzip", gzipSync(vmlinux)],
    ["lz4", Buffer.concat([packLz4Legacy(vmlinux), sizeField])],
    ["zstd", Buffer.concat([zstdRaw(vmlinux), sizeField])],
    ["xz", Buffer.concat([execFileSync("xz", ["-c"], { input: vmlinux }), sizeField])],
  ])("unpacks the kernel of a boot image packed with %s", async (_, payload) => {
    const bytes = makeBzImage(payload, "6.1.2-test");
    const kernel = await identify(bytes);
    expect(kernel).toMatchObject({ arch: "x86_64", version: "6.1.2-test", vmlinuxReason: null });
    expect(kernel.bzImage).toBe(bytes);
    expect(Buffer.from(kernel.vmlinux ?? "").equals(vmlinux)).toBe(true);
    expect(kernel.config).toBe(ownConfig);
  });

  it("keeps a boot image whose payload it cannot unpack, and says why", async () => {
    const kernel = await identify(makeBzImage(Buffer.from("BZh91AY&SY...."), "5.0"));
    expect(kernel.vmlinux).toBeNull();
    expect(kernel.bzImage).not.toBeNull();
    expect(kernel.vmlinuxReason).toContain("compressed in a way that is not known");
  });

  it("does not offer an ELF without a PVH entry for direct boot", async () => {
    const kernel = await identify(makeBzImage(gzipSync(makeElf({})), "4.9"));
    expect(kernel.vmlinux).toBeNull();
    expect(kernel.vmlinuxReason).toContain("PVH");
  });

  it("takes version and configuration from an uncompressed kernel", async () => {
    const kernel = await identify(vmlinux);
    expect(kernel).toMatchObject({ version: "6.1.2-test", bzImage: null });
    expect(configValue(kernel.config ?? "", "CONFIG_HZ")).toBe("100");
    expect(configValue(kernel.config ?? "", "CONFIG_H")).toBeNull();
  });

  it("takes a flat arm64 image, compressed or not", async () => {
    const image = Buffer.alloc(4096);
    image.writeUInt32LE(0x644d5241, 56);
    image.write("Linux version 6.1.3-arm (x)", 1024);
    for (const bytes of [image, gzipSync(image)]) {
      const kernel = await identify(bytes);
      expect(kernel).toMatchObject({ arch: "aarch64", version: "6.1.3-arm" });
      expect(Buffer.from(kernel.image ?? "").equals(image)).toBe(true);
    }
  });

  it.each([
    ["text", Buffer.from("#!/bin/sh\necho no kernel\n".repeat(20))],
    ["nothing", Buffer.alloc(0)],
    ["an ELF program", makeElf({})],
    ["an ELF kernel for another machine", makeElf({ machine: 183 })],
  ])("refuses %s as no kernel, naming the file", async (_, bytes) => {
    await expect(identify(bytes)).rejects.toMatchObject({
      code: "kernel_not_found",
      message: expect.stringContaining('"the file"'),
    });
  });
});
