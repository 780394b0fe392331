import { createReadStream } from "node:fs";
import { MicroagentError } from "../base/errors.ts";
import type { Op } from "../index.ts";
import { processKeyboard } from "./keyboard.ts";

/** What a command may be given at once; more is streamed, which --json does not do. */
const bytesMax = 64 * 1024 * 1024;

/** The whole input of a command. */
export async function readInput(
  op: Op,
  input: { readonly path: string } | "own",
): Promise<Uint8Array> {
  const source = input === "own" ? processKeyboard().read() : createReadStream(input.path);
  const parts: Uint8Array[] = [];
  let bytes = 0;
  try {
    for await (const part of source as AsyncIterable<Uint8Array>) {
      op.check();
      parts.push(part);
      bytes += part.length;
      if (bytes > bytesMax) break;
    }
  } catch (cause) {
    op.check();
    const path = input === "own" ? "standard input" : input.path;
    throw new MicroagentError("invalid_argument", `Input "${path}" cannot be read`, { cause });
  }
  if (bytes <= bytesMax) return Buffer.concat(parts);
  throw new MicroagentError(
    "invalid_argument",
    `The input has more than ${bytesMax} bytes: wanted less with --json`,
    { hint: "Without --json it is passed on as it is read" },
  );
}
