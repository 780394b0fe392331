import { gunzipSync } from "node:zlib";
import { limits } from "../../base/limits.ts";

const startMark = Buffer.from("IKCFG_ST");
const endMark = Buffer.from("IKCFG_ED");

/** The build configuration inside an uncompressed kernel (CONFIG_IKCONFIG), or null. */
export function embeddedConfig(kernel: Uint8Array): string | null {
  const bytes = Buffer.from(kernel.buffer, kernel.byteOffset, kernel.byteLength);
  const start = bytes.indexOf(startMark);
  if (start === -1) return null;
  const end = bytes.indexOf(endMark, start);
  if (end === -1) return null;
  try {
    return gunzipSync(bytes.subarray(start + startMark.length, end), {
      maxOutputLength: limits.kernel.recordBytesMax,
    }).toString("utf8");
  } catch {
    // The marks can be text of something else; a kernel without a configuration is still a kernel.
    return null;
  }
}

/** Value of one option (`y`, `m`, `250`, a string without quotes), or null when it is not set. */
export function configValue(config: string, option: string): string | null {
  const line = config.split("\n").find((candidate) => candidate.startsWith(`${option}=`));
  if (line === undefined) return null;
  return line.slice(option.length + 1).replace(/^"(.*)"$/, "$1");
}
