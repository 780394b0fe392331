import { lstat, readFile, realpath } from "node:fs/promises";
import { dirname, join, sep } from "node:path";

/** Packages as they lie on the host: directories, and the links by which others find them. */
export interface PackageSet {
  /** Real paths of package directories. */
  readonly dirs: Set<string>;
  /** Paths of links to some of them. */
  readonly links: Map<string, string>;
  /** Those of `dirs` whose declared needs are in the set as well. */
  readonly complete: Set<string>;
}

export function emptySet(): PackageSet {
  return { dirs: new Set(), links: new Map(), complete: new Set() };
}

/** A set of its own with the same packages. */
export function copyOfSet({ dirs, links, complete }: PackageSet): PackageSet {
  return { dirs: new Set(dirs), links: new Map(links), complete: new Set(complete) };
}

interface Manifest {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly peerDependenciesMeta?: Readonly<Record<string, { readonly optional?: boolean }>>;
}

const modules = `${sep}node_modules${sep}`;
const packagesMax = 5_000;

/** The directory of the installed package that a file belongs to; null outside of `node_modules`. */
export function packageDirOf(file: string): string | null {
  const at = file.lastIndexOf(modules);
  if (at < 0) return null;
  const [first = "", second = ""] = file.slice(at + modules.length).split(sep);
  const name = first.startsWith("@") ? join(first, second) : first;
  return join(file.slice(0, at + modules.length), name);
}

/** Where a package is found by a module in `from`, as Node looks for it; null when it is not installed. */
export async function findPackage(name: string, from: string): Promise<string | null> {
  for (let dir = from; ; dir = dirname(dir)) {
    const path = join(dir, "node_modules", name);
    const found = await lstat(path).catch(() => null);
    if (found !== null) return path;
    if (dirname(dir) === dir) return null;
  }
}

/**
 * Adds packages to a set, with all that they declare to need and that is installed.
 *
 * @param paths as `findPackage` gives them
 * @returns the packages that are new in the set
 */
export async function addPackages(set: PackageSet, paths: readonly string[]): Promise<PackageSet> {
  const added = emptySet();
  const queue = [...paths];
  for (let path = queue.pop(); path !== undefined; path = queue.pop()) {
    const dir = await addPackage(set, path, added);
    if (dir === null || set.complete.has(dir)) continue;
    set.complete.add(dir);
    added.complete.add(dir);
    queue.push(...(await neededBy(dir)));
  }
  return added;
}

/**
 * Adds packages to a set without what they declare to need.
 *
 * @param paths as `findPackage` gives them
 * @returns the packages that are new in the set
 */
export async function addOnly(set: PackageSet, paths: readonly string[]): Promise<PackageSet> {
  const added = emptySet();
  for (const path of paths) await addPackage(set, path, added);
  return added;
}

/** @returns the package's directory in the set; null when there is none, or the set is full */
async function addPackage(
  set: PackageSet,
  path: string,
  added: PackageSet,
): Promise<string | null> {
  const real = await realpath(path).catch(() => null);
  if (real === null) return null;
  if (!set.dirs.has(real)) {
    if (set.dirs.size >= packagesMax) return null;
    set.dirs.add(real);
    added.dirs.add(real);
  }
  if (real !== path && !set.links.has(path)) {
    set.links.set(path, real);
    added.links.set(path, real);
  }
  return real;
}

async function neededBy(dir: string): Promise<readonly string[]> {
  const manifest = await manifestOf(dir);
  const { peerDependenciesMeta: meta = {} } = manifest;
  const peers = Object.keys(manifest.peerDependencies ?? {});
  const names = [
    ...Object.keys(manifest.dependencies ?? {}),
    ...Object.keys(manifest.optionalDependencies ?? {}),
    ...peers.filter((name) => meta[name]?.optional !== true),
  ];
  const found = names
    // Types are for compilers.
    .filter((name) => !name.startsWith("@types/"))
    .map((name) => findPackage(name, dir));
  return (await Promise.all(found)).filter((path) => path !== null);
}

async function manifestOf(dir: string): Promise<Manifest> {
  try {
    return JSON.parse(await readFile(join(dir, "package.json"), "utf8")) as Manifest;
  } catch {
    return {};
  }
}
