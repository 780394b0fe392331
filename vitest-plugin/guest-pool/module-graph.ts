import { readFile, realpath } from "node:fs/promises";
import { createRequire, isBuiltin } from "node:module";
import { dirname, extname } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { init, parse } from "es-module-lexer";
import { moduleResolve } from "import-meta-resolve";
import { findPackage } from "./packages.ts";

/** What a module asks for, and by which of Node's two ways. */
interface Wish {
  readonly specifier: string;
  readonly way: "import" | "require";
}

/** As Node sets them for `import`. */
const conditions = new Set(["node", "import", "module-sync", "node-addons"]);
const code: ReadonlySet<string> = new Set([".js", ".mjs", ".cjs"]);
const filesMax = 20_000;
const packageName = /^(?:@[^/]+\/)?[^./@#][^/]*/;

/**
 * Follows the imports of modules through all packages, as Node in the guest resolves them: `exports`, conditions, CommonJS,
 * `import()` and `require()` of a literal, and the optional parts that are installed. Imports that only a running program
 * can name are not seen.
 *
 * @param entries absolute paths of modules
 * @returns paths of the packages that they reach, as `findPackage` gives them
 */
export async function importedPackages(entries: readonly string[]): Promise<readonly string[]> {
  await init;
  const packages = new Set<string>();
  const seen = new Set<string>();
  const queue = [...entries];
  for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
    const file = await realpath(next).catch(() => null);
    if (file === null || seen.has(file) || seen.size >= filesMax) continue;
    seen.add(file);
    if (!code.has(extname(file))) continue;
    for (const wish of wishesOf(await readFile(file, "utf8"))) {
      const found = resolve(wish, file);
      if (found === null) continue;
      queue.push(found);
      const [name] = packageName.exec(wish.specifier) ?? [];
      const path = name === undefined ? null : await findPackage(name, dirname(file));
      if (path !== null) packages.add(path);
    }
  }
  return [...packages];
}

function wishesOf(text: string): readonly Wish[] {
  const required = [...text.matchAll(/\brequire(?:\.resolve)?\(\s*(["'`])([^"'`\n]+)\1\s*\)/g)];
  return [
    ...importsOf(text).map((specifier): Wish => ({ specifier, way: "import" })),
    ...required.map(([, , specifier = ""]): Wish => ({ specifier, way: "require" })),
  ];
}

/** Specifiers of a module's imports; of a file that is no module, those of its `import()`. */
function importsOf(text: string): readonly string[] {
  try {
    const [imports] = parse(text);
    return imports.map(({ n: name }) => name).filter((name) => name !== undefined);
  } catch {
    // CommonJS that the lexer cannot read has its "require" at least.
    return [];
  }
}

/** The file that Node takes; null for its own modules, and for what is not installed. */
function resolve({ specifier, way }: Wish, from: string): string | null {
  if (isBuiltin(specifier)) return null;
  try {
    if (way === "require") return createRequire(from).resolve(specifier);
    const url = moduleResolve(specifier, pathToFileURL(from), conditions);
    return url.protocol === "file:" ? fileURLToPath(url) : null;
  } catch {
    // An optional part: whoever needs it after all is told by Node, in the guest as on the host.
    return null;
  }
}
