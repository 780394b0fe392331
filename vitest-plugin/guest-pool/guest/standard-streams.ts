import type { Frame } from "../wire/frames.ts";

/**
 * From now on what JavaScript writes to the standard streams goes to the host at once. What programs write that tests
 * start, and Node itself when it ends in an emergency, stays in the files that the descriptors are.
 */
export function redirectOutput(send: (frame: Frame) => void): void {
  for (const kind of ["stdout", "stderr"] as const) {
    process[kind].write = (
      chunk: string | Uint8Array,
      encoding?: BufferEncoding | ((error?: Error | null) => void),
      done?: (error?: Error | null) => void,
    ): boolean => {
      const value =
        typeof chunk === "string"
          ? Buffer.from(chunk, typeof encoding === "string" ? encoding : "utf8")
          : chunk;
      send({ kind, value });
      const callback = typeof encoding === "function" ? encoding : done;
      if (callback !== undefined) queueMicrotask(() => callback());
      return true;
    };
  }
}
