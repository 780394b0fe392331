import { lstatSync, type Stats, statSync } from "node:fs";
import { MicroagentError } from "../base/errors.ts";
import { hostEnvironment } from "./environment.ts";

/** Who a file belongs to and who may change it. */
type Ownership = Pick<Stats, "uid" | "gid" | "mode">;

const groupMayWrite = 0o020;
const othersMayWrite = 0o002;

/**
 * Why another user could put files of his into a directory, as the rest of a sentence; null when nobody but `uid` and root
 * can. A group whose number is the user's own is taken for his private one, as distributions make them.
 */
export function whyForeign(facts: Ownership, uid: number): string | null {
  if (facts.uid !== uid && facts.uid !== 0) {
    return `belongs to user ${facts.uid}: expected user ${uid}`;
  }
  const mode = (facts.mode & 0o7777).toString(8).padStart(4, "0");
  if ((facts.mode & othersMayWrite) !== 0) {
    return `has mode ${mode}: expected one in which others cannot write`;
  }
  if ((facts.mode & groupMayWrite) !== 0 && facts.gid !== 0 && facts.gid !== uid) {
    return `has mode ${mode} for group ${facts.gid}: expected one in which the group cannot write`;
  }
  return null;
}

/**
 * Refuses a directory, or a link to one, that another user could fill: our kernels, machines, locks and sockets are
 * believed because of where they are. What is not there is no fault. `invalid_argument`.
 */
export function checkOwnDirectory(path: string): void {
  const { uid } = hostEnvironment;
  if (uid === -1) return;
  const link = lstatSync(path, { throwIfNoEntry: false });
  if (link === undefined) return;
  // Everybody may write through the mode of a link; its owner is who decides where it leads.
  const reason = link.isSymbolicLink()
    ? (whyForeign({ ...link, mode: 0o700 }, uid) ?? whyTarget(path, uid))
    : whyForeign(link, uid);
  if (reason === null) return;
  const isOurs = link.uid === uid;
  throw new MicroagentError("invalid_argument", `Directory "${path}" ${reason}`, {
    hint: isOurs
      ? `Keep others out with: chmod go-w ${path}`
      : "Choose a directory of your own with --state-dir, or MICROAGENT_CACHE_DIR for a cache",
    details: { path },
  });
}

function whyTarget(path: string, uid: number): string | null {
  const target = statSync(path, { throwIfNoEntry: false });
  return target === undefined ? null : whyForeign(target, uid);
}
