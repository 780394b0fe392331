import { describe, expect, it } from "vitest";
import { moduleOfFile, readModuleInfo } from "../../../../src/kernel/modules/modinfo.ts";
import { makeElf } from "../synthetic-kernel.ts";

function module(...lines: string[]): Buffer {
  return makeElf({ sections: { ".modinfo": Buffer.from(lines.join("\0")) } });
}

describe("readModuleInfo", () => {
  it("reads hard and soft dependencies under one spelling", () => {
    const info = readModuleInfo(
      module("license=GPL", "depends=virtio_ring,virtio-rng", "softdep=pre: crc32c lz4 post: zstd"),
    );
    expect(info).toEqual({ depends: ["virtio_ring", "virtio_rng"], before: ["crc32c", "lz4"] });
  });

  it("knows that an empty list is no dependency", () => {
    expect(readModuleInfo(module("depends=", "name=a"))).toEqual({ depends: [], before: [] });
  });

  it("gives null for a file that is no module", () => {
    expect(readModuleInfo(makeElf({}))).toBeNull();
    expect(readModuleInfo(Buffer.from("text"))).toBeNull();
  });
});

describe("moduleOfFile", () => {
  it.each([
    ["virtio-rng.ko", "virtio_rng"],
    ["erofs.ko.xz", "erofs"],
    ["tun.ko.zst", "tun"],
    ["modules.order", null],
    ["a.ko.bak", null],
  ])("%s is %s", (file, name) => expect(moduleOfFile(file)).toBe(name));
});
