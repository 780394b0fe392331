import { MicroagentError } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import type { Op } from "../../base/op.ts";
import type { Arch } from "../../supervisor/port.ts";
import { readBzImage } from "./bzimage.ts";
import { compressionOf, unpack } from "./compression.ts";
import { elfMachine, hasPvhEntry, isElf64 } from "./elf.ts";
import { embeddedConfig } from "./embedded-config.ts";

/** What the bytes of one kernel file turned out to be. */
export interface IdentifiedKernel {
  readonly arch: Arch;
  /** Release as `uname -r` prints it; empty when the file does not tell. */
  readonly version: string;
  /** The file as given, when it is an x86 boot image. */
  readonly bzImage: Uint8Array | null;
  /** Uncompressed ELF with a PVH entry: the file as given, or what its payload holds. */
  readonly vmlinux: Uint8Array | null;
  /** Flat arm64 image, uncompressed. */
  readonly image: Uint8Array | null;
  /** Build configuration found inside. */
  readonly config: string | null;
  /** Why there is no `vmlinux` although the file is for x86; null otherwise. */
  readonly vmlinuxReason: string | null;
}

const armImageMagic = 0x644d5241;
const armImageMagicAt = 56;
const machineX86 = 62;

/**
 * Tells a kernel's form from its bytes and unpacks what can be unpacked. Anything that is neither an
 * x86 bzImage, an x86-64 ELF with a PVH entry nor an arm64 image is `kernel_not_found`; `origin`
 * names the file in that message.
 */
export async function identifyKernel(
  op: Op,
  bytes: Uint8Array,
  origin: string,
): Promise<IdentifiedKernel> {
  const boot = readBzImage(bytes);
  if (boot !== null) return identifyBzImage(op, bytes, boot);
  if (isElf64(bytes)) return identifyElf(bytes, origin);
  const flat = await armImage(op, bytes);
  if (flat !== null) {
    return {
      arch: "aarch64",
      version: bannerVersion(flat),
      bzImage: null,
      vmlinux: null,
      image: flat,
      config: embeddedConfig(flat),
      vmlinuxReason: null,
    };
  }
  throw new MicroagentError(
    "kernel_not_found",
    `File "${origin}" is no kernel: found neither an x86 bzImage, an x86-64 ELF nor an arm64 image`,
    { details: { origin } },
  );
}

async function identifyBzImage(
  op: Op,
  bytes: Uint8Array,
  boot: { version: string; payload: Uint8Array },
): Promise<IdentifiedKernel> {
  const payload = await bzPayload(op, boot.payload);
  const vmlinux = typeof payload === "string" ? null : payload;
  const direct = vmlinux !== null && hasPvhEntry(vmlinux);
  return {
    arch: "x86_64",
    version: boot.version,
    bzImage: bytes,
    vmlinux: direct ? vmlinux : null,
    image: null,
    config: vmlinux === null ? null : embeddedConfig(vmlinux),
    vmlinuxReason: direct
      ? null
      : typeof payload === "string"
        ? payload
        : "The kernel has no PVH entry (CONFIG_PVH)",
  };
}

/** The unpacked ELF, or the reason why it cannot be had: the boot image works without it. */
async function bzPayload(op: Op, payload: Uint8Array): Promise<Uint8Array | string> {
  try {
    // All but gzip carry the unpacked size in four bytes of the build's own behind their end.
    const sizeBytes = compressionOf(payload) === "gzip" ? 0 : 4;
    const stream = payload.subarray(0, payload.length - sizeBytes);
    const unpacked = await unpack(op, stream, limits.kernel.unpackedBytesMax);
    return isElf64(unpacked) ? unpacked : "The payload of the boot image is not an ELF file";
  } catch (error) {
    op.check();
    return error instanceof Error ? error.message : String(error);
  }
}

function identifyElf(bytes: Uint8Array, origin: string): IdentifiedKernel {
  if (elfMachine(bytes) !== machineX86 || !hasPvhEntry(bytes)) {
    throw new MicroagentError(
      "kernel_not_found",
      `File "${origin}" is an ELF file without a PVH entry for x86-64: no VMM can boot it`,
      { hint: "Build the kernel with CONFIG_PVH=y, or name its bzImage", details: { origin } },
    );
  }
  return {
    arch: "x86_64",
    version: bannerVersion(bytes),
    bzImage: null,
    vmlinux: bytes,
    image: null,
    config: embeddedConfig(bytes),
    vmlinuxReason: null,
  };
}

async function armImage(op: Op, bytes: Uint8Array): Promise<Uint8Array | null> {
  const flat =
    compressionOf(bytes) === "gzip"
      ? await unpack(op, bytes, limits.kernel.unpackedBytesMax)
      : bytes;
  if (flat.length < 64) return null;
  const view = new DataView(flat.buffer, flat.byteOffset, flat.byteLength);
  return view.getUint32(armImageMagicAt, true) === armImageMagic ? flat : null;
}

/** Release from the banner every kernel carries ("Linux version 6.1.0-1-cloud ..."). */
function bannerVersion(kernel: Uint8Array): string {
  const bytes = Buffer.from(kernel.buffer, kernel.byteOffset, kernel.byteLength);
  for (let at = bytes.indexOf("Linux version "); at !== -1; ) {
    const text = bytes.subarray(at + 14, at + 14 + 128).toString("latin1");
    const release = /^[0-9][A-Za-z0-9.+~_-]*/.exec(text)?.[0];
    // The same words also stand in a format string, where no release follows.
    if (release !== undefined) return release;
    at = bytes.indexOf("Linux version ", at + 14);
  }
  return "";
}
