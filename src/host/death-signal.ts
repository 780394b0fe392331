import { hostEnvironment } from "./environment.ts";
import { findTool } from "./find-tool.ts";

/*
 * The kernel sends a child the signal that it asked for when its parent dies. A parent that died before the
 * child could ask sends none, so the child looks afterwards whether it still has the parent it was
 * started by: one of the two always holds.
 */
const stillOurs = 'test "$PPID" = "$0" || exit 125; exec "$@"';

let setpriv: Promise<string | null> | null = null;
let shell: Promise<string | null> | null = null;

/**
 * The words to put before a program so that it gets a signal when this process dies, however it
 * dies. Linux with `setpriv` only, else none. The signal is tied to the thread that spawns, and reaches the
 * program alone: what that starts is its own business.
 */
export async function deathSignalWords(
  signal: "KILL" | "TERM",
  options: { readonly noNewPrivileges?: boolean | undefined } = {},
): Promise<readonly string[]> {
  if (hostEnvironment.platform !== "linux") return [];
  setpriv ??= findTool("setpriv");
  shell ??= findTool("sh");
  const [wrapper, sh] = await Promise.all([setpriv, shell]);
  if (wrapper === null || sh === null) return [];
  const privileges = options.noNewPrivileges === true ? ["--no-new-privs"] : [];
  const asking = [wrapper, "--pdeathsig", signal, ...privileges, "--"];
  return [...asking, sh, "-c", stillOurs, String(hostEnvironment.pid)];
}
