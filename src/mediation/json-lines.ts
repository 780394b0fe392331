import { MicroagentError } from "../base/errors.ts";
import { limits } from "../base/limits.ts";

const newline = 0x0a;

/** One message as a line. `invalid_argument` when it is longer than the other side would read. */
export function encodeMessage(value: unknown): Buffer {
  const line = Buffer.from(`${JSON.stringify(value)}\n`);
  if (line.length <= limits.mediation.messageBytesMax) return line;
  throw new MicroagentError(
    "invalid_argument",
    `A message takes ${line.length} bytes: wanted at most ${limits.mediation.messageBytesMax}`,
    { hint: "Pass large data in a file and name it in the message" },
  );
}

/**
 * The JSON values of a byte stream, one per line, each at most 1 MiB. Blank lines are passed over; a connection that ends
 * without a message, as a probe's does, gives none. `protocol_violation` for a line that is too long, cut off, not
 * UTF-8 or not JSON; nothing of it is repeated.
 */
export async function* readMessages(stream: AsyncIterable<Uint8Array>): AsyncGenerator<unknown> {
  let parts: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of stream) {
    let from = 0;
    for (let at = chunk.indexOf(newline); at >= 0; at = chunk.indexOf(newline, from)) {
      bounded(length + at - from);
      const line = Buffer.concat([...parts, chunk.subarray(from, at)]);
      parts = [];
      length = 0;
      from = at + 1;
      if (!isBlank(line)) yield parseLine(line);
    }
    const rest = chunk.subarray(from);
    length += rest.length;
    bounded(length);
    if (rest.length > 0) parts.push(rest);
  }
  if (!isBlank(Buffer.concat(parts))) throw violation("ended in the middle of a message");
}

function bounded(length: number): void {
  if (length > limits.mediation.messageBytesMax) {
    throw violation(`sent a message of more than ${limits.mediation.messageBytesMax} bytes`);
  }
}

function parseLine(line: Buffer): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(line));
  } catch {
    throw violation("sent a line that is not JSON");
  }
}

function isBlank(line: Buffer): boolean {
  return line.every((byte) => byte === 0x20 || byte === 0x09 || byte === 0x0d);
}

function violation(what: string): MicroagentError {
  return new MicroagentError(
    "protocol_violation",
    `The other side of the mediation channel ${what}`,
  );
}
