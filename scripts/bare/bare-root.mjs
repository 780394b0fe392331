// @ts-check
// A root directory with a minimal Debian 12, Node, npm and git, and a clone of this repository.
import { appendFile, cp, mkdir, realpath, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { findProgram } from "../host-packages.mjs";
import { mustRun, root as repository, ScriptFailure } from "../steps.mjs";
import { aptSettings, aptSources, hostCertificates } from "./host-settings.mjs";
import { runApart } from "./namespaces.mjs";

const suite = "bookworm";

/**
 * @typedef {object} Account
 * @property {string} name
 * @property {number} uid its group has the same number
 * @property {string} home
 * @property {string} path what a login shell of Debian has in PATH
 */

/** @type {readonly Account[]} */
export const accounts = [
  {
    name: "root",
    uid: 0,
    home: "/root",
    path: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
  },
  {
    name: "user",
    uid: 1000,
    home: "/home/user",
    path: "/usr/local/bin:/usr/bin:/bin:/usr/local/games:/usr/games",
  },
];

/** Where certificates of the host lie that `ca-certificates` adds to the system's when it is installed. */
export const certificatesInside = "/usr/local/share/ca-certificates/host.crt";

/**
 * Makes the root at `target` with the distribution's packages and Node.
 *
 * @param {string} target @param {AbortSignal} signal
 */
export async function makeRoot(target, signal) {
  const settings = (await aptSettings()).map((line) => `--aptopt=${line}`);
  const words = ["mmdebstrap", "--quiet", "--variant=minbase", "--include=git", ...settings];
  const { status } = await runApart([...words, suite, target, ...(await aptSources(suite))], {
    signal,
  });
  if (status !== 0) {
    throw new ScriptFailure(
      signal.aborted ? "Interrupted" : `mmdebstrap ended with ${status}`,
      "sudo apt-get update, to see whether the package mirror answers",
    );
  }
  // Every installer and every container engine writes this file, the bare packages do not.
  const hosts = "127.0.0.1 localhost bare\n::1 localhost\n";
  await writeFile(await parentOf(target, "/etc/hosts"), hosts);
  // The root lives for an hour: dpkg need not wait for the disk after each package.
  await writeFile(await parentOf(target, "/etc/dpkg/dpkg.cfg.d/unsafe-io"), "force-unsafe-io\n");
  const certificates = hostCertificates();
  if (certificates !== null) await cp(certificates, await parentOf(target, certificatesInside));
  await copyNode(target);
}

/** Node and npm that run this script, as their archive is unpacked below `/usr/local`. @param {string} target */
async function copyNode(target) {
  const npm = findProgram("npm");
  // .../npm/bin/npm-cli.js
  const folder = npm === null ? "" : dirname(dirname(await realpath(npm)));
  await cp(process.execPath, await parentOf(target, "/usr/local/bin/node"));
  const modules = await parentOf(target, "/usr/local/lib/node_modules/npm");
  await cp(folder, modules, { recursive: true }).catch(() => {
    throw new ScriptFailure(
      `The npm of this host cannot be copied from "${folder}"`,
      "use the Node project's own archive, which has npm beside it",
    );
  });
  for (const name of ["npm", "npx"]) {
    const link = join(target, "usr/local/bin", name);
    await symlink(`../lib/node_modules/npm/bin/${name}-cli.js`, link);
  }
}

/** Makes the account, and a clone of HEAD in its home. @param {string} target @param {Account} account */
export async function prepareAccount(target, account) {
  const { name, uid, home } = account;
  const place = join(target, home);
  if (uid !== 0) {
    await appendFile(join(target, "etc/passwd"), `${name}:x:${uid}:${uid}::${home}:/bin/bash\n`);
    await appendFile(join(target, "etc/group"), `${name}:x:${uid}:\n`);
    await mkdir(place, { recursive: true });
  }
  // The repository may belong to the user who called sudo. Linked objects would change their owner with the clone's.
  const config = join(dirname(target), "gitconfig");
  await writeFile(config, "[safe]\n\tdirectory = *\n");
  const clone = join(place, "microagent");
  await mustRun("git", ["clone", "--quiet", "--no-hardlinks", repository, clone], {
    env: { ...process.env, GIT_CONFIG_GLOBAL: config },
  });
  await mustRun("chown", ["--recursive", "--no-dereference", `${uid}:${uid}`, place]);
}

/** @param {string} target @param {string} path inside of the root @returns {Promise<string>} its path outside */
async function parentOf(target, path) {
  await mkdir(join(target, dirname(path)), { recursive: true });
  return join(target, path);
}
