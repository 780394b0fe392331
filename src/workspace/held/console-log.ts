import { open, readFile } from "node:fs/promises";
import { join } from "node:path";
import { StringDecoder } from "node:string_decoder";
import { errnoOf } from "../../base/errors.ts";
import type { Op } from "../../base/op.ts";
import { fileError } from "../../host/file-error.ts";
import type { StateLayout } from "../../host/state-layout.ts";
import { findWorkspace } from "../find-workspace.ts";

const pollMs = 200;
const consoleFile = "serial.log";
const live: readonly string[] = ["starting", "running", "paused", "stopping"];

/** What a guest's console said so far; it is bounded where it is written. `workspace_not_found`. */
export async function readConsole(
  layout: StateLayout,
  name: string,
): Promise<{ readonly path: string; readonly text: string }> {
  const path = join((await findWorkspace(layout, name)).path, consoleFile);
  try {
    return { path, text: await readFile(path, "utf8") };
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return { path, text: "" };
    throw fileError(error, `Console "${path}" cannot be read`);
  }
}

/** A guest's console from its beginning, and then as it goes on, until the workspace has ended. */
export async function* followConsole(
  op: Op,
  layout: StateLayout,
  name: string,
): AsyncGenerator<string> {
  const decoder = new StringDecoder("utf8");
  let position = 0;
  for (;;) {
    // Looked at before reading: what is written up to its end is not missed.
    const { path, state } = await findWorkspace(layout, name);
    for (;;) {
      const bytes = await readFrom(join(path, consoleFile), position);
      if (bytes.length === 0) break;
      position += bytes.length;
      yield decoder.write(bytes);
    }
    if (!live.includes(state)) return;
    await op.sleep(pollMs);
  }
}

async function readFrom(path: string, position: number): Promise<Buffer> {
  try {
    const file = await open(path, "r");
    try {
      const buffer = Buffer.alloc(64 * 1024);
      const { bytesRead } = await file.read(buffer, 0, buffer.length, position);
      return buffer.subarray(0, bytesRead);
    } finally {
      await file.close();
    }
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return Buffer.alloc(0);
    throw fileError(error, `Console "${path}" cannot be read`);
  }
}
