import { isGuestPathBelowRoot, isSafeName } from "../schema/checks.ts";
import type { DiskEntry } from "../schema/storage-schema.ts";
import { flagError } from "./flag-error.ts";

/** `name=path:/mountpoint:ro|rw`, for `--disk` and `--bundle`; the path may hold colons. */
export function parseDiskFlag(flag: "--disk" | "--bundle", text: string): DiskEntry {
  const wanted = "name=path:/mountpoint:ro|rw";
  const match = /^([^=]*)=(.+):(\/[^:]*):([^:]*)$/s.exec(text);
  if (match === null) throw flagError(flag, text, wanted);
  const [, name = "", path = "", mountpoint = "", mode] = match;
  if (mode !== "ro" && mode !== "rw") {
    throw flagError(flag, text, wanted, { fault: { why: "has a mode other than ro and rw" } });
  }
  if (isSafeName(name) !== null) {
    throw flagError(flag, text, wanted, { fault: { why: "has no safe name" } });
  }
  const fault = isGuestPathBelowRoot(mountpoint);
  if (fault !== null)
    throw flagError(flag, text, wanted, {
      fault: { why: `has a mountpoint that ${fault.why ?? "is not valid"}` },
    });
  return { name, path, mountpoint, mode };
}
