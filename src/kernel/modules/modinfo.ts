import { elfSection } from "../formats/elf.ts";

/** What a module says of itself. */
export interface ModuleInfo {
  /** Modules that must be loaded before it. */
  readonly depends: readonly string[];
  /** Modules that should be loaded before it if they exist: it asks for them when it starts. */
  readonly before: readonly string[];
}

/** Reads the `.modinfo` section of an uncompressed module; null when the file has none. */
export function readModuleInfo(module: Uint8Array): ModuleInfo | null {
  const section = elfSection(module, ".modinfo");
  if (section === null) return null;
  const depends: string[] = [];
  const before: string[] = [];
  for (const line of Buffer.from(section).toString("utf8").split("\0")) {
    const [key, value] = splitOnce(line);
    if (key === "depends") depends.push(...words(value.replaceAll(",", " ")));
    if (key === "softdep") before.push(...preDependencies(value));
  }
  return { depends: depends.map(moduleName), before: before.map(moduleName) };
}

/** The name a module goes by: dashes and underscores are the same to the kernel. */
export function moduleName(name: string): string {
  return name.replaceAll("-", "_");
}

/** The module a file holds (`virtio-rng.ko.xz` is `virtio_rng`), or null for another file. */
export function moduleOfFile(fileName: string): string | null {
  const match = /^(.+)\.ko(\.(xz|zst|gz))?$/.exec(fileName);
  return match?.[1] === undefined ? null : moduleName(match[1]);
}

/** "pre: a b post: c" names a and b. */
function preDependencies(value: string): string[] {
  const pre: string[] = [];
  let wanted = false;
  for (const word of words(value)) {
    if (word.endsWith(":")) wanted = word === "pre:";
    else if (wanted) pre.push(word);
  }
  return pre;
}

function splitOnce(line: string): [string, string] {
  const at = line.indexOf("=");
  return at === -1 ? [line, ""] : [line.slice(0, at), line.slice(at + 1)];
}

function words(text: string): string[] {
  return text.split(/\s+/).filter((word) => word !== "");
}
