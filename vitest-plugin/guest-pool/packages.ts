import { lstat, readFile, realpath } from "node:fs/promises";
import { dirname, join, sep } from "node:path";

/** Packages as they lie on the host: directories, and the links by which others find them. */
export interface PackageSet {
  /** Real paths of package directories. */
  readonly dirs: Set<string>;
  /** Paths of links to some of them. */
  readonly links: Map<string, string>;
}

export function emptySet(): PackageSet {
  return { dirs: new Set(), links: new Map() };
}

interface Manifest {
  readonly name?: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly peerDependenciesMeta?: Readonly<Record<string, { readonly optional?: boolean }>>;
}

const modules = `${sep}node_modules${sep}`;
const packagesMax = 5_000;

/** Of these a worker uses only what needs no other package: the host transforms. */
const leaves: ReadonlySet<string> = new Set(["vite"]);

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
 * @returns what is new in the set
 */
export async function addPackages(set: PackageSet, paths: readonly string[]): Promise<PackageSet> {
  const added = emptySet();
  const queue = [...paths];
  for (let path = queue.pop(); path !== undefined; path = queue.pop()) {
    const real = await realpath(path).catch(() => null);
    if (real === null) continue;
    if (real !== path && !set.links.has(path)) {
      set.links.set(path, real);
      added.links.set(path, real);
    }
    if (set.dirs.has(real) || set.dirs.size >= packagesMax) continue;
    set.dirs.add(real);
    added.dirs.add(real);
    queue.push(...(await neededBy(real)));
  }
  return added;
}

async function neededBy(dir: string): Promise<readonly string[]> {
  const manifest = await manifestOf(dir);
  if (leaves.has(manifest.name ?? "")) return [];
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
