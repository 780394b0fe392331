// @ts-check
// Step one of the bootstrap: node_modules as package-lock.json says.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { mustRun, root, ScriptFailure } from "./steps.mjs";

const nodeWanted = [20, 19];

/** Installs the npm dependencies unless the installed tree already matches the lock file. */
export async function installDependencies() {
  requireNode();
  const wanted = await lockedPackages(join(root, "package-lock.json"));
  const found = await lockedPackages(join(root, "node_modules", ".package-lock.json"));
  if (wanted === null) throw new ScriptFailure('There is no "package-lock.json"', "git checkout .");
  if (found !== null && firstDifference(wanted, found) === null) return "up to date";
  await mustRun("npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error"], {
    hint: "npm ci, once the registry answers",
  });
  return `installed ${wanted.size} packages`;
}

function requireNode() {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  const [wantedMajor = 0, wantedMinor = 0] = nodeWanted;
  if (major > wantedMajor || (major === wantedMajor && minor >= wantedMinor)) return;
  throw new ScriptFailure(
    `Node "${process.versions.node}" is too old, ${nodeWanted.join(".")} or newer is needed`,
  );
}

/**
 * Package folder to version, of a lock file; null when there is none. Optional packages (binaries
 * for other systems) are left out: npm installs only those that fit.
 *
 * @param {string} path
 * @returns {Promise<Map<string, string> | null>}
 */
async function lockedPackages(path) {
  let text;
  try {
    text = await readFile(path, "utf8");
  } catch {
    return null;
  }
  /** @type {{ packages?: Record<string, { version?: string, optional?: boolean }> }} */
  const lock = JSON.parse(text);
  const packages = new Map();
  for (const [folder, entry] of Object.entries(lock.packages ?? {})) {
    if (folder !== "" && entry.optional !== true) packages.set(folder, entry.version ?? "");
  }
  return packages;
}

/**
 * @param {Map<string, string>} wanted
 * @param {Map<string, string>} found
 */
function firstDifference(wanted, found) {
  for (const [folder, version] of wanted) if (found.get(folder) !== version) return folder;
  return null;
}
