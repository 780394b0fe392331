import { isGuestPathBelowRoot } from "../schema/checks.ts";
import { flagError } from "./flag-error.ts";

/** What `-v` attaches: a named volume, a tar archive, or a disk image. */
export interface VolumeMount {
  readonly kind: "volume" | "bundle" | "disk";
  /** Volume name, or path on the host. */
  readonly source: string;
  readonly mountpoint: string;
  readonly mode: "ro" | "rw";
}

const wanted =
  "SOURCE:/mountpoint[:ro|rw], where SOURCE is a volume name, a .tar, .tar.gz, .tgz, .ext4 or .img file";

/** `SOURCE:/mountpoint[:ro|rw]`; what the source is follows from its spelling alone. */
export function parseVolumeFlag(text: string): VolumeMount {
  const match = /^(.+?):(\/[^:]*)(?::([^:/]*))?$/s.exec(text);
  if (match === null) throw flagError("--volume", text, wanted);
  const [, source = "", mountpoint = "", mode = "rw"] = match;
  if (mode !== "ro" && mode !== "rw") {
    throw flagError("--volume", text, wanted, {
      fault: { why: "has a mode other than ro and rw" },
    });
  }
  const fault = isGuestPathBelowRoot(mountpoint);
  if (fault !== null) {
    throw flagError("--volume", text, wanted, {
      fault: { why: `has a mountpoint that ${fault.why ?? "is not valid"}` },
    });
  }
  return { kind: kindOf(text, source), source, mountpoint, mode };
}

function kindOf(text: string, source: string): VolumeMount["kind"] {
  if (/\.(tar|tar\.gz|tgz)$/.test(source)) return "bundle";
  if (/\.(ext4|img)$/.test(source)) return "disk";
  if (/^[a-z0-9][a-z0-9-]{0,62}$/.test(source)) return "volume";
  const path = /[/\\~]|^\.{1,2}$/.test(source);
  throw flagError("--volume", text, wanted, {
    fault: path
      ? {
          why: "names a host directory",
          hint: "Host directories are never mounted: copy single files in with files in the spec, or pack the directory: tar -cf data.tar DIR, then -v ./data.tar:/data:ro",
        }
      : {
          why: "has a volume name with other characters than lower-case letters, digits and hyphens",
        },
  });
}
