import { isUtf8 } from "node:buffer";
import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { errnoOf, isMicroagentError, MicroagentError } from "../base/errors.ts";
import { limits } from "../base/limits.ts";

/**
 * The text of a file that a flag names. `what` begins a sentence, for example `Egress policy`; `form` is what was wanted. Fails
 * with `invalid_argument`.
 */
export async function readSettingsFile(
  path: string,
  what: string,
  flag: string,
  form = "a YAML or JSON file",
): Promise<string> {
  const refuse = (why: string, cause?: unknown) =>
    new MicroagentError("invalid_argument", `${what} "${path}" ${why}`, {
      cause,
      hint: `Name ${form} with ${flag}`,
    });
  try {
    // Without O_NONBLOCK a named pipe would keep us waiting for a writer.
    await using file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const stats = await file.stat();
    if (!stats.isFile()) throw refuse("is no regular file");
    if (stats.size > limits.spec.fileBytesMax) {
      throw refuse(`is larger than ${limits.spec.fileBytesMax / 1024} KiB`);
    }
    const bytes = await file.readFile();
    if (!isUtf8(bytes)) throw refuse("is not a text in UTF-8");
    return bytes.toString("utf8").replace(/^\ufeff/, "");
  } catch (error) {
    const errno = isMicroagentError(error) ? undefined : errnoOf(error);
    if (errno === undefined) throw error;
    throw refuse(errno === "ENOENT" ? "does not exist" : `cannot be read (${errno})`, error);
  }
}
