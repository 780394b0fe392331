import type { Readable } from "node:stream";
import { MicroagentError } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import type { Op } from "../base/op.ts";
import { fullChildEnvironment, type HostEnvironment } from "../host/environment.ts";
import { findTool } from "../host/find-tool.ts";
import { type ChildHandle, spawnChild } from "../host/spawn-child.ts";

const setting = "MICROAGENT_SECRET_HELPER";

/**
 * What `$MICROAGENT_SECRET_HELPER ARGUMENT` prints, less one line break at its end. The program is started without a
 * shell and ends with us. What it says on standard error is not kept: it may hold what must not be shown.
 */
export async function askHelper(
  op: Op,
  argument: string,
  environment: Pick<HostEnvironment, "env">,
): Promise<Uint8Array> {
  const program = helperProgram(environment);
  const file = await findTool(program);
  if (file === null) {
    throw new MicroagentError(
      "host_tool_missing",
      `Secret helper "${program}" does not exist or cannot be run`,
      { hint: `Set ${setting} to the path of a program that prints a secret` },
    );
  }
  const child = await spawnChild({
    file,
    args: [argument],
    stdio: ["ignore", "pipe", "ignore"],
    env: fullChildEnvironment(),
    parentDeathSignal: true,
  });
  try {
    const printed = await op.race(readAll(child, program));
    const { code, signal } = await op.race(child.exit);
    if (code === 0) return withoutLineBreak(printed);
    throw new MicroagentError(
      "secret_source_failed",
      signal === null
        ? `Secret helper "${program}" ended with status ${code}`
        : `Secret helper "${program}" was killed by ${signal}`,
      { hint: "Run it yourself with the same reference to see what it says" },
    );
  } finally {
    child.kill();
  }
}

/** The helper that was set; `secret_source_failed` without one. */
export function helperProgram(environment: Pick<HostEnvironment, "env">): string {
  const program = environment.env(setting);
  if (program !== undefined) return program;
  throw new MicroagentError(
    "secret_denied",
    `A "helper" reference needs the environment variable ${setting}, which is not set`,
    { hint: `Set ${setting} to the path of a program that prints a secret` },
  );
}

async function readAll(child: ChildHandle, program: string): Promise<Buffer> {
  const parts: Buffer[] = [];
  let length = 0;
  for await (const part of child.stdio[1] as Readable) {
    length += (part as Buffer).length;
    if (length > limits.secret.valueBytesMax) {
      throw new MicroagentError(
        "secret_unusable",
        `Secret helper "${program}" printed more than ${limits.secret.valueBytesMax} bytes`,
      );
    }
    parts.push(part as Buffer);
  }
  return Buffer.concat(parts);
}

function withoutLineBreak(bytes: Buffer): Uint8Array {
  if (bytes.at(-1) !== 0x0a) return bytes;
  return bytes.subarray(0, bytes.at(-2) === 0x0d ? -2 : -1);
}
