import { MicroagentError } from "../../base/errors.ts";
import type { Op } from "../../base/op.ts";
import { hostEnvironment } from "../../host/environment.ts";
import { programDir } from "../../host/program-dir.ts";
import { findTool } from "../../host/run-tool.ts";
import { hasCapabilities, userRangeFault } from "../../host/user-namespaces.ts";

/** How mmdebstrap gets into the root it makes. */
export interface BuildWay {
  readonly mode: "root" | "unshare" | "fakechroot";
  /** One clause for people. */
  readonly why: string;
  /** The words of the command before its options. */
  readonly words: readonly string[];
}

/** Debian packages that let anybody build an image. */
export const fakePackages = ["fakechroot", "fakeroot"] as const;

/** CAP_CHOWN and CAP_SYS_CHROOT: without them root is root by name only. */
const rootCapabilities = [0, 18] as const;
/** CAP_SYS_ADMIN, which mounts need. */
const mountCapability = 21;

/** What the choice depends on. */
export interface BuildFacts {
  readonly isRoot: boolean;
  /** Whether root may do what a build does. */
  readonly rootMay: boolean;
  userRangeFault(op: Op): Promise<string | null>;
  findTool(name: string): Promise<string | null>;
}

const here: BuildFacts = {
  isRoot: hostEnvironment.uid === 0,
  get rootMay() {
    return hasCapabilities(...rootCapabilities);
  },
  userRangeFault,
  findTool,
};

/**
 * The first way that works here: as root, in a user namespace, or with files and `chroot` faked by preloaded libraries.
 * `host_tool_missing` with the packages when there is none.
 */
export async function buildWay(op: Op, facts: BuildFacts = here): Promise<BuildWay> {
  const { isRoot } = facts;
  if (isRoot && facts.rootMay) {
    return { mode: "root", why: "as root", words: ["mmdebstrap", "--mode=root"] };
  }
  const fault = isRoot ? "root may not use chroot here" : await facts.userRangeFault(op);
  // mmdebstrap tries namespaces itself, and takes the fakes where it finds out more than we did.
  if (fault === null) return { mode: "unshare", why: "in a user namespace", words: ["mmdebstrap"] };
  const found = await Promise.all(fakePackages.map((name) => facts.findTool(name)));
  if (found.every((path) => path !== null)) {
    return {
      mode: "fakechroot",
      why: `with fakechroot (${fault})`,
      words: [...fakePackages, "mmdebstrap", "--mode=fakechroot"],
    };
  }
  throw new MicroagentError(
    "host_tool_missing",
    `Images cannot be built here: ${fault}, and programs "fakechroot" and "fakeroot" are not both installed`,
    {
      hint: `Install them with: ${isRoot ? "" : "sudo "}apt-get install --yes ${fakePackages.join(" ")}`,
      details: { packages: fakePackages },
    },
  );
}

/** Where the root is made: the maintainer scripts of its packages run there. `more` are directories of ours. */
export async function buildDir(way: BuildWay, more: readonly string[]): Promise<string> {
  return await programDir({
    what: "an image build",
    // Where root may not mount the host's devices, it makes its own.
    devices: way.mode === "root" && !hasCapabilities(mountCapability),
    // Users of a namespace cannot enter a directory that is private to us.
    more: way.mode === "unshare" ? [] : more,
  });
}
