import { execFile } from "node:child_process";
import {
  copyFile,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  symlink,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const exec = promisify(execFile);

/** The repository's root directory, absolute. */
export const root: string = join(import.meta.dirname, "..", "..");

/** A project of somebody else, with the packed package installed from its tarball. */
export interface Stranger extends AsyncDisposable {
  readonly dir: string;
  readonly tarball: string;
  /** Paths inside the tarball, without the leading `package/`. */
  readonly packed: readonly string[];
  run(file: string, args: readonly string[]): Promise<{ stdout: string; stderr: string }>;
}

/** `npm run test:newest` installs what the registry serves today. */
const newest = process.env.MICROAGENT_TEST_NEWEST === "1";

interface LockFile {
  readonly lockfileVersion: number;
  readonly packages: Readonly<Record<string, LockedPackage>>;
}

interface LockedPackage {
  readonly dev?: boolean;
  readonly devOptional?: boolean;
  readonly [key: string]: unknown;
}

/** A lock file with the versions that this repository has: a new release of a library must not change what is tested. */
async function lockFor(manifest: object, tarball: string): Promise<string> {
  const lock: LockFile = JSON.parse(await readFile(join(root, "package-lock.json"), "utf8"));
  const { "": ours, ...others } = lock.packages;
  const { devDependencies: _, ...own } = ours ?? {};
  const used = Object.entries(others).filter(
    ([, { dev, devOptional }]) => dev !== true && devOptional !== true,
  );
  const packages = {
    "": manifest,
    "node_modules/microagent-ci": { ...own, resolved: `file:${tarball}` },
    ...Object.fromEntries(used),
  };
  return JSON.stringify({ lockfileVersion: lock.lockfileVersion, requires: true, packages });
}

/** Builds, packs, and installs the package into a fresh project outside of the repository. */
export async function makeStranger(): Promise<Stranger> {
  const dir = await mkdtemp(join(tmpdir(), "microagent-package-"));
  // A stranger's home is empty: nothing of ours may be found there.
  const home = join(dir, "home");
  await mkdir(home);
  const run: Stranger["run"] = (file, args) =>
    exec(file, [...args], {
      cwd: dir,
      env: { ...process.env, MICROAGENT_STATE_DIR: join(home, "state"), NO_COLOR: "1" },
      maxBuffer: 64 * 1024 * 1024,
    });
  try {
    await exec("npm", ["pack", "--pack-destination", dir], { cwd: root });
    const name = (await readdir(dir)).find((entry) => entry.endsWith(".tgz")) ?? "";
    const tarball = join(dir, name);
    const { stdout } = await exec("tar", ["-tzf", tarball]);
    const dependencies = { "microagent-ci": `file:${name}` };
    const manifest = { name: "stranger", type: "module", private: true, dependencies };
    await writeFile(join(dir, "package.json"), JSON.stringify(manifest));
    if (!newest) await writeFile(join(dir, "package-lock.json"), await lockFor(manifest, name));
    const words = ["--no-audit", "--no-fund", "--prefer-offline"];
    await run("npm", [newest ? "install" : "ci", ...words]);
    await mkdir(join(dir, "node_modules", "@types"), { recursive: true });
    for (const types of ["@types/node", "undici-types"]) {
      await symlink(join(root, "node_modules", types), join(dir, "node_modules", types));
    }
    for (const file of ["main.ts", "tsconfig.json"]) {
      await copyFile(join(root, "test", "package", "consumer", file), join(dir, file));
    }
    return {
      dir,
      tarball,
      packed: stdout
        .trim()
        .split("\n")
        .map((path) => path.replace(/^package\//, "")),
      run,
      [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }),
    };
  } catch (error) {
    await rm(dir, { recursive: true, force: true });
    throw error;
  }
}
