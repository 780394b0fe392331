// @ts-check
// Joins the modules of an entry, and the libraries they use, to a few files. Every module file costs Node a fraction
// of a millisecond to find, read and link, and a run needs hundreds of them; what is imported on demand stays a
// file of its own, and is read on demand.
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { root } from "./steps.mjs";

/** The files that programs and people open, by source; each keeps the path it has among the sources. */
export const doors = Object.fromEntries(
  [
    "src/cli/main",
    "src/index",
    "src/holder",
    "src/supervisor/port",
    "supervisors/memory/index",
    "vitest-plugin/index",
    "vitest-plugin/test",
    "vitest-plugin/setup",
    "vitest-plugin/global-setup",
  ].map((path) => [path, `${path}.ts`]),
);

/**
 * Writes `entries` and what they share into `folder`.
 *
 * @param {Readonly<Record<string, string>>} entries sources below the root, by path in `folder` without `.js`
 * @param {string} folder absolute
 * @param {string} [shared] name pattern of what they share: beside the entries, as modules look for the package's other
 *   files from where they are
 * @param {boolean} [minify] leave out what only people read
 */
export async function bundle(entries, folder, shared = "[name]-[hash].js", minify = false) {
  // Loaded here, because the dependencies may not be installed when this module is.
  const { rolldown } = await import("rolldown");
  const everyCommand = closureOf(join(root, "src", "cli", "main.ts"));
  const everyRun = closureOf(join(root, "src", "index.ts"));
  const build = await rolldown({
    cwd: root,
    plugins: [everyCommand.plugin, everyRun.plugin],
    platform: "node",
    // A second copy of the test runner would know nothing of the first one's tests.
    external: [/^vitest(\/|$)/],
    input: { ...entries },
    transform: { target: "node20" },
  });
  try {
    const { output } = await build.write({
      dir: folder,
      format: "esm",
      minify,
      entryFileNames: "[name].js",
      chunkFileNames: shared,
      // What every command reads is one file, what every run reads is another; the rest stays apart.
      codeSplitting: {
        groups: [
          { name: "command", test: everyCommand.has, priority: 2 },
          { name: "engine", test: everyRun.has, priority: 1 },
        ],
      },
      comments: { legal: true, jsdoc: false },
    });
    const modules = output.flatMap((file) => (file.type === "chunk" ? file.moduleIds : []));
    await writeFile(join(folder, "third-party-licenses.txt"), await licensesOf(modules));
  } finally {
    await build.close();
  }
}

/**
 * Writes a program that runs where nothing else of this package is, as one file.
 *
 * @param {string} entry source below the root
 * @param {string} file absolute
 */
export async function bundleAlone(entry, file) {
  const { rolldown } = await import("rolldown");
  const build = await rolldown({
    cwd: root,
    platform: "node",
    input: entry,
    transform: { target: "node20" },
  });
  try {
    const comments = { legal: true, jsdoc: false };
    await build.write({ file, format: "esm", codeSplitting: false, comments });
  } finally {
    await build.close();
  }
}

/**
 * The modules that `entry` imports, and those import, but for what is imported on demand. Not the entry itself:
 * whoever shares its modules must not run it.
 *
 * @param {string} entry absolute path
 */
function closureOf(entry) {
  /** @type {Set<string>} */
  const found = new Set();
  return {
    /** @param {string} id */
    has: (id) => id !== entry && found.has(id),
    plugin: {
      name: "closure",
      /** @this {import("rolldown").PluginContext} */
      buildEnd() {
        const visit = (/** @type {string} */ id) => {
          if (found.has(id)) return;
          found.add(id);
          for (const next of this.getModuleInfo(id)?.importedIds ?? []) visit(next);
        };
        if (this.getModuleInfo(entry) !== null) visit(entry);
      },
    },
  };
}

/**
 * The licence texts of the libraries that became part of the bundle, as their licences ask for.
 *
 * @param {readonly string[]} modules absolute paths
 */
async function licensesOf(modules) {
  const packages = new Set();
  for (const path of modules) {
    const match = /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/.exec(path);
    if (match !== null) packages.add(match[0]);
  }
  const parts = [];
  for (const folder of [...packages].sort()) {
    const { name, version, license } = JSON.parse(
      await readFile(join(folder, "package.json"), "utf8"),
    );
    const file = (await readdir(folder)).find((each) => /^licen[cs]e/i.test(each));
    const text = file === undefined ? "" : await readFile(join(folder, file), "utf8");
    parts.push(`${name} ${version} (${license})\n\n${text.trim()}\n`);
  }
  return parts.join(`\n${"-".repeat(72)}\n\n`);
}
