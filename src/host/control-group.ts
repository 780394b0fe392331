import { readFileSync } from "node:fs";
import { join, posix } from "node:path";

/** A directory of a control group, the process's own or one above it. */
export interface GroupLevel {
  readonly dir: string;
  readonly version: 1 | 2;
  /** The top of what can be seen. A limit there is one that a container was given from outside. */
  readonly isTop: boolean;
}

export type Controller = "memory" | "cpu";

/** More levels than anybody nests; the kernel's own cap is far above it. */
const levelsMax = 64;
/** A host with thousands of mounts stays below it. */
const fileBytesMax = 4 * 1024 * 1024;

/**
 * The directories that can limit a process for one controller: its own group first, then every one above
 * it up to the top of what is mounted here. With both versions mounted, those of both. Empty where there are no control groups to read.
 * `root` stands for `/`, so that another host's files can be read.
 */
export function groupLevels(controller: Controller, root = "/"): readonly GroupLevel[] {
  const own = ownGroups(readBounded(join(root, "proc/self/cgroup")));
  const mounts = groupMounts(readBounded(join(root, "proc/self/mountinfo")));
  const levels: GroupLevel[] = [];
  for (const version of [2, 1] as const) {
    const path = version === 2 ? own.unified : own.byController.get(controller);
    if (path === undefined) continue;
    const fitting = mounts.filter(
      (mount) =>
        mount.version === version && (version === 2 || mount.controllers.includes(controller)),
    );
    const found = bestView(fitting, path);
    if (found !== null) levels.push(...levelsOf(root, found.mount.point, found.below, version));
  }
  return levels;
}

/** A small file of a control group; null when it cannot be read. */
export function readGroupFile(level: GroupLevel, name: string): string | null {
  return readBounded(join(level.dir, name));
}

interface GroupMount {
  readonly version: 1 | 2;
  readonly controllers: readonly string[];
  /** Which group is seen at the mount point, as this process's name space calls it. */
  readonly root: string;
  readonly point: string;
}

function ownGroups(text: string | null) {
  const byController = new Map<string, string>();
  let unified: string | undefined;
  for (const line of (text ?? "").split("\n")) {
    const match = /^(\d+):([^:]*):(\/.*)$/.exec(line);
    if (match === null) continue;
    const [, id, names = "", path = "/"] = match;
    if (id === "0" && names === "") unified = path;
    for (const name of names.split(",")) byController.set(name, path);
  }
  return { unified, byController };
}

function groupMounts(text: string | null): readonly GroupMount[] {
  const mounts: GroupMount[] = [];
  for (const line of (text ?? "").split("\n")) {
    const [before = "", after] = line.split(" - ");
    if (after === undefined) continue;
    const [, , , root, point] = before.split(" ");
    const [type, , options = ""] = after.split(" ");
    if (root === undefined || point === undefined) continue;
    if (type !== "cgroup" && type !== "cgroup2") continue;
    mounts.push({
      version: type === "cgroup2" ? 2 : 1,
      controllers: options.split(","),
      root: unescaped(root),
      point: unescaped(point),
    });
  }
  return mounts;
}

/**
 * The mount in which most levels of the group can be seen. A group outside of every mount (a name space that was
 * entered later, a container that sees only itself) is taken for the one at a mount point.
 */
function bestView(mounts: readonly GroupMount[], path: string) {
  let best: { readonly mount: GroupMount; readonly below: readonly string[] } | null = null;
  for (const mount of mounts) {
    const below = namesBelow(mount.root, path) ?? [];
    if (best === null || below.length > best.below.length) best = { mount, below };
  }
  return best;
}

function namesBelow(root: string, path: string): readonly string[] | null {
  const names = split(path);
  const above = split(root);
  if (names === null || above === null) return null;
  if (above.some((name, index) => names[index] !== name)) return null;
  const below = names.slice(above.length);
  return below.length > levelsMax ? null : below;
}

/** Null for a path that leaves its name space, such as `/../other`. */
function split(path: string): readonly string[] | null {
  const names = path.split("/").filter((name) => name !== "");
  return names.includes("..") || names.includes(".") ? null : names;
}

function levelsOf(
  root: string,
  point: string,
  below: readonly string[],
  version: 1 | 2,
): readonly GroupLevel[] {
  const top = join(root, posix.normalize(point));
  return Array.from({ length: below.length + 1 }, (_, index) => ({
    dir: join(top, ...below.slice(0, below.length - index)),
    version,
    isTop: index === below.length,
  }));
}

/** As the kernel writes blanks, tabs, line ends and backslashes into its lists of mounts. */
function unescaped(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}

function readBounded(path: string): string | null {
  try {
    const text = readFileSync(path, "utf8");
    return text.length > fileBytesMax ? null : text;
  } catch {
    return null;
  }
}
