import { access, constants } from "node:fs/promises";
import { tmpdir } from "node:os";
import { MicroagentError } from "../base/errors.ts";
import { mountOptions } from "./mount-options.ts";

export interface ProgramDirNeeds {
  /** What is done there, such as "an image build". */
  readonly what: string;
  /** Device files made there have to work. */
  readonly devices: boolean;
  /** The usual temporary ones: `TMPDIR`, `/tmp` and `/var/tmp` unless named. */
  readonly temporary?: readonly string[] | undefined;
  /** Directories to try after them. */
  readonly more?: readonly string[] | undefined;
  /** Stands for `/` when another host's list of mounts is read. */
  readonly root?: string | undefined;
}

/**
 * A directory where programs may be written and run: `TMPDIR`, `/tmp`, `/var/tmp`, then the caller's own. `host_unsupported`
 * with what is wrong with each of them when none is fit.
 */
export async function programDir(needs: ProgramDirNeeds): Promise<string> {
  const { temporary = [tmpdir(), "/tmp", "/var/tmp"], more = [] } = needs;
  const candidates = [...new Set([...temporary, ...more])];
  const faults: string[] = [];
  for (const dir of candidates) {
    const fault = await faultOf(dir, needs);
    if (fault === null) return dir;
    faults.push(`"${dir}" ${fault}`);
  }
  throw new MicroagentError(
    "host_unsupported",
    `No directory here is fit for ${needs.what}: ${faults.join(", ")}`,
    {
      hint: "Name a directory where programs may run, for example: TMPDIR=/path microagent ...; in a container: docker run --tmpfs /tmp:exec",
      details: { directories: candidates },
    },
  );
}

/** Refuses a directory that was chosen for something else, where programs have to run: `host_unsupported`. */
export async function requireProgramDir(
  dir: string,
  needs: Pick<ProgramDirNeeds, "what" | "root"> & { readonly hint: string },
): Promise<void> {
  const fault = await faultOf(dir, { ...needs, devices: false });
  if (fault === null) return;
  throw new MicroagentError("host_unsupported", `"${dir}" ${fault}: ${needs.what} runs programs`, {
    hint: needs.hint,
    details: { directories: [dir] },
  });
}

async function faultOf(dir: string, needs: ProgramDirNeeds): Promise<string | null> {
  try {
    await access(dir, constants.W_OK | constants.X_OK);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code === "ENOENT" ? "does not exist" : "cannot be written";
  }
  const options = mountOptions(dir, needs.root);
  if (options.has("noexec")) return "forbids programs (mounted noexec)";
  if (needs.devices && options.has("nodev")) return "forbids device files (mounted nodev)";
  return null;
}
