import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import type { Op } from "../base/op.ts";

/** The sha256 of bytes, as lower-case hexadecimal. */
export function sha256Of(bytes: Uint8Array | string): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** The sha256 of a file's content, read as a stream. */
export async function sha256OfFile(op: Op, path: string): Promise<string> {
  const hash = createHash("sha256");
  const stream = createReadStream(path, { signal: op.signal });
  try {
    for await (const chunk of stream) hash.update(chunk);
  } catch (error) {
    op.check();
    throw error;
  }
  return hash.digest("hex");
}
