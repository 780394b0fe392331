import { type FileHandle, open, readdir, readlink } from "node:fs/promises";
import { MicroagentError } from "../../src/base/errors.ts";
import type { Op } from "../../src/base/op.ts";
import { fileError } from "../../src/host/file-error.ts";

const pieceBytes = 4 * 1024 * 1024;
/** What is looked at for being zero; holes of this size cost nothing on the disk. */
const blockBytes = 64 * 1024;

/**
 * Copies the memory of a stopped QEMU, a file without a name, to `path` (must not exist, 0600), leaving
 * out what is zero. Fails with `no_space`.
 */
export async function copyMemory(
  op: Op,
  pid: number,
  memoryBytes: number,
  path: string,
): Promise<void> {
  const source = await openMemory(pid);
  try {
    const target = await open(path, "wx", 0o600);
    try {
      await target.truncate(memoryBytes);
      await copySparse(op, source, target, memoryBytes);
    } finally {
      await target.close();
    }
  } catch (error) {
    op.check();
    throw fileError(error, `Guest memory cannot be saved to "${path}"`);
  } finally {
    await source.close();
  }
}

async function copySparse(op: Op, source: FileHandle, target: FileHandle, bytes: number) {
  const piece = Buffer.allocUnsafe(pieceBytes);
  const zero = Buffer.alloc(blockBytes);
  for (let at = 0; at < bytes; ) {
    op.check();
    const { bytesRead } = await source.read(piece, 0, Math.min(pieceBytes, bytes - at), at);
    if (bytesRead === 0) {
      throw new MicroagentError("vmm_failed", `Guest memory ends at ${at} bytes, wanted ${bytes}`);
    }
    for (let from = 0; from < bytesRead; ) {
      let to = from;
      while (to < bytesRead && !isZero(piece, to, zero)) to += blockBytes;
      if (to > from) {
        await writeAll(target, piece.subarray(from, Math.min(to, bytesRead)), at + from);
      }
      from = to === from ? from + blockBytes : to;
    }
    at += bytesRead;
  }
}

function isZero(piece: Buffer, at: number, zero: Buffer): boolean {
  const end = Math.min(at + blockBytes, piece.length);
  return piece.compare(zero, 0, end - at, at, end) === 0;
}

async function writeAll(file: FileHandle, data: Buffer, position: number): Promise<void> {
  let done = 0;
  while (done < data.length) {
    const { bytesWritten } = await file.write(data, done, data.length - done, position + done);
    done += bytesWritten;
  }
}

async function openMemory(pid: number): Promise<FileHandle> {
  const dir = `/proc/${pid}/fd`;
  try {
    for (const fd of await readdir(dir)) {
      const target = await readlink(`${dir}/${fd}`).catch(() => "");
      if (target.startsWith("/memfd:memory-backend")) return await open(`${dir}/${fd}`, "r");
    }
  } catch (error) {
    throw new MicroagentError("vmm_failed", `The memory of QEMU cannot be read in "${dir}"`, {
      cause: error,
    });
  }
  throw new MicroagentError("vmm_failed", `QEMU keeps its memory in no file that "${dir}" shows`);
}
