// @ts-check
// TypeScript to dist/ (bundled code, and declarations per module), only when a source changed. The new tree is built beside the old one and
// swapped in, so that a running command never sees half of it.
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { chmod, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { bundle, bundleAlone, doors } from "./bundle.mjs";
import { isMain, mustRun, root, runMain, step } from "./steps.mjs";

const sourceFolders = ["src", "supervisors", "vitest-plugin"];
const settings = [
  "tsconfig.json",
  "tsconfig.build.json",
  "package-lock.json",
  "scripts/bundle.mjs",
  "scripts/build-dist.mjs",
];
const stampName = ".built-from";

/** Checks and bundles the sources into `dist` unless the stamp there names the same sources. */
export async function buildDist() {
  const dist = join(root, "dist");
  const stamp = sourceDigest();
  const built = await readFile(join(dist, stampName), "utf8").catch(() => null);
  if (built === stamp) return "up to date";
  const fresh = join(root, `dist.${process.pid}.tmp`);
  const aside = join(root, `dist.${process.pid}.old`);
  try {
    const compiler = join(root, "node_modules", "typescript", "bin", "tsc");
    const settings = ["-p", "tsconfig.build.json", "--emitDeclarationOnly", "--outDir", fresh];
    await mustRun(process.execPath, [compiler, ...settings], { hint: "npm run typecheck" });
    await bundle(doors, fresh, "src/[name]-[hash].js");
    // Runs in machines, which have nothing else of this package.
    const worker = join(fresh, "vitest-plugin", "guest-worker.js");
    await bundleAlone("vitest-plugin/guest-pool/guest/worker.ts", worker);
    await shipSource("vitest-plugin/setup-file", fresh);
    await chmod(join(fresh, "src", "cli", "main.js"), 0o755).catch(() => {});
    await writeFile(join(fresh, stampName), stamp);
    await replaceFolder(fresh, dist, aside);
  } finally {
    await rm(fresh, { recursive: true, force: true });
  }
  return "compiled";
}

/**
 * Some files must reach users as TypeScript: each says why.
 *
 * @param {string} path below the root, without its ending @param {string} folder
 */
async function shipSource(path, folder) {
  const text = await readFile(join(root, `${path}.ts`), "utf8");
  await writeFile(join(folder, `${path}.mts`), text.replace(/(from "\.[^"]*)\.ts"/g, '$1.js"'));
  await rm(join(folder, `${path}.d.ts`), { force: true });
}

/**
 * Puts `fresh` where `target` is. Somebody else may do the same meanwhile, hence the attempts.
 *
 * @param {string} fresh @param {string} target @param {string} aside takes the old folder
 */
async function replaceFolder(fresh, target, aside) {
  for (let attempt = 1; ; attempt++) {
    await rename(target, `${aside}.${attempt}`).catch(() => {});
    try {
      await rename(fresh, target);
      return;
    } catch (error) {
      if (attempt === 3) throw error;
    } finally {
      await rm(`${aside}.${attempt}`, { recursive: true, force: true });
    }
  }
}

function sourceDigest() {
  const hash = createHash("sha256");
  const files = sourceFolders.flatMap((folder) => filesBelow(folder)).sort();
  for (const path of [...settings, ...files]) {
    const bytes = readFileSync(join(root, path));
    hash.update(`${path}\0${bytes.length}\0`).update(bytes);
  }
  return hash.digest("hex");
}

/** @param {string} folder relative to the root @returns {string[]} paths of TypeScript files */
function filesBelow(folder) {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".ts"))
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1));
}

if (isMain(import.meta.url)) {
  await runMain(async () => {
    await step("compile", buildDist);
    return 0;
  });
}
