import { readFileSync, realpathSync } from "node:fs";
import { join } from "node:path";

/**
 * The options of the mount that a directory lies on, such as `noexec`, `nodev` and `ro`. Empty where the system does not
 * list its mounts, and for a directory that does not exist. `root` stands for `/`, so that another list can be read.
 */
export function mountOptions(directory: string, root = "/"): ReadonlySet<string> {
  const list = readOrNull(join(root, "proc/self/mountinfo"));
  const path = realPath(directory);
  if (list === null || path === null) return new Set();
  let best: { readonly point: string; readonly options: readonly string[] } | null = null;
  for (const line of list.split("\n")) {
    const [before = "", after = ""] = line.split(" - ");
    const [, , , , escaped, options] = before.split(" ");
    if (escaped === undefined || options === undefined) continue;
    const point = escaped.replace(/\\([0-7]{3})/g, (_, digits: string) =>
      String.fromCharCode(Number.parseInt(digits, 8)),
    );
    const holds = point === "/" || path === point || path.startsWith(`${point}/`);
    // Of several mounts on one point the last one is on top.
    if (!holds || (best !== null && point.length < best.point.length)) continue;
    const ofFileSystem = after.split(" ")[2] ?? "";
    best = { point, options: [...options.split(","), ...ofFileSystem.split(",")] };
  }
  return new Set(best?.options);
}

function readOrNull(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return null;
  }
}

function realPath(path: string): string | null {
  try {
    return realpathSync(path);
  } catch {
    return null;
  }
}
