import { createHash } from "node:crypto";
import { readdir, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { droppedDirectory, type Op, type Workspace } from "../../src/index.ts";
import type { PackageSet } from "./packages.ts";

/** Puts packages where they are on the host: modules name each other by these paths. */
export async function putPackages(op: Op, workspace: Workspace, set: PackageSet): Promise<void> {
  for (const dir of set.dirs) await putPath(op, workspace, dir);
  for (const [path, target] of set.links) await putLink(op, workspace, path, target);
}

/** Puts a file or directory where it is on the host, without packages that are installed inside of it. */
export async function putPath(op: Op, workspace: Workspace, path: string): Promise<void> {
  const { tree } = await droppedDirectory({ hostPath: path, guestPath: path });
  await workspace.put(op, path, withoutModules(tree()));
}

type Item = Parameters<Workspace["put"]>[2] extends AsyncIterable<infer T> ? T : never;

async function* withoutModules(items: AsyncIterable<Item>): AsyncIterable<Item> {
  let isSkipped = false;
  for await (const item of items) {
    // What follows an entry belongs to it.
    if (item.kind === "entry") isSkipped = isNested(item.entry.path);
    if (!isSkipped) yield item;
  }
}

function isNested(path: string): boolean {
  return path.split("/").includes("node_modules");
}

async function putLink(op: Op, workspace: Workspace, path: string, target: string): Promise<void> {
  const entry = {
    path: basename(path),
    pathBytes: null,
    type: "symlink" as const,
    mode: 0o777,
    uid: 0,
    gid: 0,
    sizeBytes: 0,
    mtimeSeconds: 0,
    mtimeNanoseconds: 0,
    link: target,
    linkBytes: null,
    device: null,
  };
  async function* tree(): AsyncIterable<Item> {
    yield { kind: "entry", entry: { ...entry, path: "", type: "dir", mode: 0o755, link: null } };
    yield { kind: "entry", entry };
  }
  await workspace.put(op, dirname(path), tree());
}

/** Changes when a file of a package does: names, sizes and times are looked at, not contents. */
export async function packagesDigest(set: PackageSet): Promise<string> {
  const hash = createHash("sha256");
  for (const dir of [...set.dirs].sort()) {
    for (const fact of await factsOf(dir)) hash.update(`${fact}\n`);
  }
  hash.update(JSON.stringify([...set.links].sort()));
  return hash.digest("hex");
}

async function factsOf(dir: string): Promise<readonly string[]> {
  const entries = await readdir(dir, { recursive: true, withFileTypes: true });
  const facts = entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => !isNested(path.slice(dir.length)))
    .map((path) => fileFact(path));
  return (await Promise.all(facts)).sort();
}

/** What tells one state of a file from another. */
export async function fileFact(path: string): Promise<string> {
  const { size, mtimeMs, mode } = await stat(path);
  return `${path} ${size} ${mtimeMs} ${mode}`;
}
