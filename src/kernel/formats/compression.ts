import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import { decompress as unzstd } from "fzstd";
import { MicroagentError } from "../../base/errors.ts";
import type { Op } from "../../base/op.ts";
import { makeTempDir } from "../../host/files.ts";
import { runTool } from "../../host/run-tool.ts";
import { lz4LegacyMagic, unpackLz4Legacy } from "./lz4-legacy.ts";

/** How bytes are compressed, told from their first bytes; `none` is said of ELF only. */
export type Compression = "none" | "gzip" | "zstd" | "xz" | "lz4-legacy" | "unknown";

const xzMagic = Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]);

/** Names the compression of a kernel payload or of a module. */
export function compressionOf(bytes: Uint8Array): Compression {
  if (bytes.length < xzMagic.length) return "unknown";
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint16(0) === 0x1f8b) return "gzip";
  if (view.getUint32(0) === 0x28b52ffd) return "zstd";
  if (view.getUint32(0) === 0x7f454c46) return "none";
  if (view.getUint32(0, true) === lz4LegacyMagic) return "lz4-legacy";
  return xzMagic.equals(bytes.subarray(0, xzMagic.length)) ? "xz" : "unknown";
}

/**
 * Unpacks kernel or module bytes on the host; `unknown` compression and damaged or oversized data
 * are `store_corrupt`. xz needs the host's `xz` (`host_tool_missing`): nothing else here knows it.
 */
export async function unpack(op: Op, bytes: Uint8Array, bytesMax: number): Promise<Uint8Array> {
  const compression = compressionOf(bytes);
  if (compression === "none") return bytes;
  if (compression === "unknown") throw corrupt("is compressed in a way that is not known");
  const unpacked = await unpackKnown(op, bytes, compression, bytesMax);
  if (unpacked.length > bytesMax) throw corrupt(`unpacks to more than ${bytesMax} bytes`);
  return unpacked;
}

async function unpackKnown(
  op: Op,
  bytes: Uint8Array,
  compression: "gzip" | "zstd" | "xz" | "lz4-legacy",
  bytesMax: number,
): Promise<Uint8Array> {
  if (compression === "xz") return unpackXz(op, bytes);
  try {
    if (compression === "zstd") return unzstd(bytes);
    if (compression === "lz4-legacy") return unpackLz4Legacy(bytes, bytesMax);
    return await op.race(promisify(gunzip)(bytes, { maxOutputLength: bytesMax }));
  } catch (error) {
    op.check();
    if (error instanceof MicroagentError) throw error;
    throw corrupt(`cannot be unpacked as ${compression}`, error);
  }
}

async function unpackXz(op: Op, bytes: Uint8Array): Promise<Uint8Array> {
  await using scratch = await makeTempDir(tmpdir(), "microagent-xz-");
  const path = join(scratch.path, "unpacked");
  await runTool(op, "xz", ["--decompress", "--stdout", "--single-stream", "--memlimit=512MiB"], {
    input: bytes,
    stdoutPath: path,
  });
  return op.race(readFile(path));
}

function corrupt(reason: string, cause?: unknown): MicroagentError {
  return new MicroagentError("store_corrupt", `The kernel data ${reason}`, { cause });
}
