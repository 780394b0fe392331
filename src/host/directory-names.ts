import { readdir } from "node:fs/promises";
import { errnoOf } from "../base/errors.ts";
import { fileError } from "./file-error.ts";

/** Names in a directory; none where it is not there. What cannot be read is an error. */
export async function namesIn(dir: string): Promise<string[]> {
  return await readdir(dir).catch((error: unknown) => {
    if (errnoOf(error) === "ENOENT") return [];
    throw fileError(error, `Directory "${dir}" cannot be read`);
  });
}
