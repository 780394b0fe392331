import { isGuestPath, isSafeName } from "../schema/checks.ts";
import type { OutputEntry } from "../schema/storage-schema.ts";
import { flagError } from "./flag-error.ts";

/** `name=/guest/path`. */
export function parseOutputFlag(text: string): OutputEntry {
  const wanted = "name=/guest/path such as report=/workspace/report.json";
  const at = text.indexOf("=");
  if (at < 0) throw flagError("--output", text, wanted);
  const name = text.slice(0, at);
  const path = text.slice(at + 1);
  if (isSafeName(name) !== null) {
    throw flagError("--output", text, wanted, { fault: { why: "has no safe name" } });
  }
  const fault = isGuestPath(path);
  if (fault !== null) {
    throw flagError("--output", text, wanted, {
      fault: { why: `has a path that ${fault.why ?? "is not valid"}` },
    });
  }
  return { name, path };
}
