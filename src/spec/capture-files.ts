import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { errnoOf, isMicroagentError, MicroagentError } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import type { Op } from "../base/op.ts";
import { type Place, placeText } from "./placed.ts";
import type { RunPlan } from "./plan.ts";
import { specError } from "./problem.ts";
import type { SpecSource } from "./source.ts";

/** A host file as it was when the run began, ready to be put into the guest. */
export interface CapturedFile {
  /** Absolute guest path. */
  readonly guestPath: string;
  /** Permission bits. */
  readonly mode: number;
  readonly bytes: Uint8Array;
  /** Lower-case hexadecimal. */
  readonly sha256: string;
}

/** Everything of a plan that is read from host files. */
export interface CapturedInputs {
  /** Setup commands in order, the contents of setup files among them. */
  readonly setup: readonly string[];
  readonly files: readonly CapturedFile[];
}

/**
 * Reads the host files of a plan, once, so that later changes on the host change nothing. Links are
 * followed; what they lead to must be a regular file. Fails with `spec_invalid` for a file of the
 * spec and `invalid_argument` for one of a flag.
 */
export async function captureFiles(op: Op, plan: RunPlan): Promise<CapturedInputs> {
  const capture = new Capturing(op, plan.source);
  const setup: string[] = [];
  for (const step of plan.setup) {
    if (step.kind === "run") setup.push(step.text);
    else setup.push(await capture.setupFile(step.path, step.place));
  }
  const files: CapturedFile[] = [];
  for (const { src, dst, mode, place } of plan.files) {
    const read = await capture.file(src, place, limits.spec.capturedBytesMax);
    files.push({
      guestPath: dst,
      mode: mode ?? read.mode & 0o644,
      bytes: read.bytes,
      sha256: createHash("sha256").update(read.bytes).digest("hex"),
    });
  }
  return { setup, files };
}

class Capturing {
  readonly #op: Op;
  readonly #source: SpecSource | null;
  #bytesLeft: number = limits.spec.capturedBytesMax;

  constructor(op: Op, source: SpecSource | null) {
    this.#op = op;
    this.#source = source;
  }

  async setupFile(path: string, place: Place): Promise<string> {
    const { bytes } = await this.file(path, place, limits.spec.setupFileBytesMax);
    let text: string;
    try {
      text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    } catch (cause) {
      throw this.#fault(
        place,
        `Setup file "${path}" is not a text in UTF-8: wanted shell commands`,
        cause,
      );
    }
    if (text.trim() === "") {
      throw this.#fault(place, `Setup file "${path}" is empty: wanted a shell command`);
    }
    return text;
  }

  async file(
    path: string,
    place: Place,
    bytesMax: number,
  ): Promise<{ readonly bytes: Uint8Array; readonly mode: number }> {
    this.#op.check();
    let handle: FileHandle;
    try {
      // Without O_NONBLOCK a named pipe would keep us waiting for a writer.
      handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    } catch (error) {
      throw this.#unreadable(path, place, error);
    }
    try {
      const stats = await handle.stat();
      if (!stats.isFile()) {
        const kind = stats.isDirectory() ? "a directory" : "no regular file";
        throw this.#fault(place, `"${path}" is ${kind}: wanted a regular file`);
      }
      const room = Math.min(bytesMax, this.#bytesLeft);
      if (stats.size > room) {
        throw this.#fault(place, `File "${path}" has ${stats.size} bytes: wanted at most ${room}`);
      }
      const bytes = await this.#op.race(handle.readFile({ signal: this.#op.signal }));
      this.#bytesLeft -= bytes.length;
      return { bytes, mode: stats.mode & 0o7777 };
    } catch (error) {
      throw this.#unreadable(path, place, error);
    } finally {
      await handle.close();
    }
  }

  #unreadable(path: string, place: Place, error: unknown): unknown {
    const errno = isMicroagentError(error) ? undefined : errnoOf(error);
    if (errno === undefined || !errno.startsWith("E")) return error;
    const reason =
      errno === "ENOENT" || errno === "ENOTDIR" ? "does not exist" : `cannot be read (${errno})`;
    return this.#fault(place, `File "${path}" ${reason}: wanted a regular file`, error);
  }

  #fault(place: Place, sentence: string, cause?: unknown): MicroagentError {
    if (place.kind === "spec" && this.#source !== null) {
      return specError([this.#source.problem(place.path, "value", { sentence })]);
    }
    return new MicroagentError("invalid_argument", `Flag ${placeText(place)}: ${sentence}`, {
      cause,
    });
  }
}
