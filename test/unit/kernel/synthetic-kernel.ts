import { gzipSync } from "node:zlib";

/** Kernels of a few hundred bytes with the headers of real ones, for tests that boot nothing. */

const headerBytes = 64;
const programHeaderBytes = 56;
const sectionHeaderBytes = 64;

export interface ElfParts {
  readonly machine?: number;
  /** Content of one PT_NOTE segment. */
  readonly note?: Uint8Array;
  readonly sections?: Readonly<Record<string, Uint8Array>>;
  readonly tail?: Uint8Array;
}

export function makeElf(parts: ElfParts): Buffer {
  const note = Buffer.from(parts.note ?? new Uint8Array(0));
  const named = Object.entries(parts.sections ?? {});
  const names = Buffer.from(["", ...named.map(([name]) => name), ".shstrtab", ""].join("\0"));
  const blobs: (readonly [string, Uint8Array])[] = [...named, [".shstrtab", names]];
  const noteAt = headerBytes + programHeaderBytes;
  let at = noteAt + note.length;
  const placed = blobs.map(([name, bytes]) => {
    const here = at;
    at += bytes.length;
    return { name, bytes, at: here };
  });
  const elf = Buffer.alloc(at + sectionHeaderBytes * (placed.length + 1));
  elf.write("\x7fELF", 0, "latin1");
  elf.set([2, 1, 1], 4);
  elf.writeUInt16LE(parts.machine ?? 62, 18);
  elf.writeBigUInt64LE(BigInt(headerBytes), 0x20);
  elf.writeBigUInt64LE(BigInt(at), 0x28);
  elf.writeUInt16LE(programHeaderBytes, 0x36);
  elf.writeUInt16LE(1, 0x38);
  elf.writeUInt16LE(sectionHeaderBytes, 0x3a);
  elf.writeUInt16LE(placed.length + 1, 0x3c);
  elf.writeUInt16LE(placed.length, 0x3e);
  elf.writeUInt32LE(4, headerBytes);
  elf.writeBigUInt64LE(BigInt(noteAt), headerBytes + 8);
  elf.writeBigUInt64LE(BigInt(note.length), headerBytes + 0x20);
  elf.set(note, noteAt);
  placed.forEach((section, index) => {
    elf.set(section.bytes, section.at);
    const header = at + sectionHeaderBytes * (index + 1);
    elf.writeUInt32LE(Math.max(0, names.indexOf(`${section.name}\0`)), header);
    elf.writeUInt32LE(1, header + 4);
    elf.writeBigUInt64LE(BigInt(section.at), header + 0x18);
    elf.writeBigUInt64LE(BigInt(section.bytes.length), header + 0x20);
  });
  return Buffer.concat([elf, parts.tail ?? new Uint8Array(0)]);
}

export function pvhNote(): Buffer {
  const note = Buffer.alloc(20);
  note.writeUInt32LE(4, 0);
  note.writeUInt32LE(4, 4);
  note.writeUInt32LE(18, 8);
  note.write("Xen\0", 12, "latin1");
  note.writeUInt32LE(0x1000000, 16);
  return note;
}

/** The text a kernel of ours embeds as its configuration. */
export const ownConfig: string = [
  "CONFIG_64BIT=y",
  "CONFIG_HZ=100",
  "CONFIG_VIRTIO_MMIO_CMDLINE_DEVICES=y",
  "CONFIG_VIRTIO_CONSOLE=y",
  "CONFIG_VIRTIO_BLK=y",
  "CONFIG_EXT4_FS=y",
  "CONFIG_OVERLAY_FS=y",
  "CONFIG_TUN=y",
  "",
].join("\n");

/** A bootable-looking vmlinux: banner, PVH note, and the configuration when one is given. */
export function makeVmlinux(options: { version: string; config?: string }): Buffer {
  const config =
    options.config === undefined
      ? Buffer.alloc(0)
      : Buffer.concat([Buffer.from("IKCFG_ST"), gzipSync(options.config), Buffer.from("IKCFG_ED")]);
  return makeElf({
    note: pvhNote(),
    tail: Buffer.concat([
      Buffer.from(`Linux version %s (%s)\0Linux version ${options.version} (gcc)\0`),
      config,
    ]),
  });
}

/** An x86 boot image around a payload; `sizeTrailer` as all compressions but gzip have it. */
export function makeBzImage(payload: Uint8Array, version: string): Buffer {
  const setupSectors = 2;
  const protectedAt = (setupSectors + 1) * 512;
  const payloadOffset = 32;
  const image = Buffer.alloc(protectedAt + payloadOffset + payload.length);
  image[0x1f1] = setupSectors;
  image.write("HdrS", 0x202, "latin1");
  image.writeUInt16LE(0x20f, 0x206);
  image.writeUInt16LE(0x300 - 512, 0x20e);
  image.write(`${version} (builder@host) #1\0`, 0x300, "latin1");
  image.writeUInt32LE(payloadOffset, 0x248);
  image.writeUInt32LE(payload.length, 0x24c);
  image.set(payload, protectedAt + payloadOffset);
  return image;
}
