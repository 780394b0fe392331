// @ts-check
// Programs of the host that boots, image builds and tests use, and how Debian and Ubuntu name them.
import { accessSync, constants, existsSync, readdirSync } from "node:fs";
import { delimiter, join } from "node:path";
import { run, ScriptFailure, say } from "./steps.mjs";

/**
 * @typedef {object} HostPiece
 * @property {string} package the apt package
 * @property {string} [program] found on PATH when the package is there
 * @property {readonly string[]} [instead] other programs that serve as well
 * @property {string} [file] exists when the package is there
 * @property {() => Promise<boolean>} [unless] whether this host does without it
 * @property {string} use why it is wanted
 */

const qemu =
  process.arch === "arm64"
    ? { package: "qemu-system-arm", program: "qemu-system-aarch64" }
    : { package: "qemu-system-x86", program: "qemu-system-x86_64" };

/** @type {readonly HostPiece[]} */
export const runtimePieces = [
  { ...qemu, use: "runs the machines" },
  { package: "mmdebstrap", program: "mmdebstrap", use: "builds images from the distribution" },
  {
    package: "debian-archive-keyring",
    file: "/usr/share/keyrings/debian-archive-keyring.gpg",
    use: "proves the packages of Debian images",
  },
  { package: "e2fsprogs", program: "mke2fs", use: "formats scratch disks" },
  ...["fakechroot", "fakeroot"].map((name) => ({
    package: name,
    program: name,
    unless: buildsWithout,
    use: "builds images where neither root nor user namespaces can be had",
  })),
];

/** Whether mmdebstrap can build as root or in a user namespace. */
async function buildsWithout() {
  if (process.getuid?.() === 0) return true;
  // Through the programs that give an ordinary user a range of users, and the files that grant it.
  const words = ["--user", "--map-root-user", "--map-auto", "true"];
  return (await run("unshare", words, { silent: true })) === 0;
}

/** @type {readonly HostPiece[]} */
export const testPieces = [
  { package: "umoci", program: "umoci", use: "the reference the image tests compare with" },
  { package: "skopeo", program: "skopeo", use: "fills test registries and layouts" },
  { package: "docker-registry", program: "docker-registry", use: "a real registry on loopback" },
  { package: "erofs-utils", program: "fsck.erofs", use: "checks the base images we write" },
  { package: "busybox-static", file: "/bin/busybox", use: "what small test images hold" },
  {
    package: "chromium-headless-shell",
    program: "chromium-headless-shell",
    instead: ["chromium", "google-chrome"],
    use: "opens report pages",
  },
  { package: "curl", program: "curl", use: "a client of the credential swap" },
  { package: "openssl", program: "openssl", use: "reads the certificates that we make" },
  {
    package: "default-jre-headless",
    program: "java",
    use: "a client of the credential swap",
  },
  { package: "python3", program: "python3", use: "a client of the credential swap" },
  { package: "nginx-light", program: "nginx", use: "reads what the egress gate lets pass" },
  { package: "apache2-bin", program: "apache2", use: "reads what the egress gate lets pass" },
  { package: "haproxy", program: "haproxy", use: "reads what the egress gate lets pass" },
  { package: "squid", program: "squid", use: "reads what the egress gate lets pass" },
  { package: "lighttpd", program: "lighttpd", use: "reads what the egress gate lets pass" },
  { package: "zstd", program: "zstd", use: "packs layers of test images" },
  { package: "git", program: "git", use: "lists the files that the repository's laws hold for" },
  { package: "flex", program: "flex", use: "kernel build" },
  { package: "bison", program: "bison", use: "kernel build" },
  { package: "bc", program: "bc", use: "kernel build" },
  { package: "libelf-dev", file: "/usr/include/gelf.h", use: "kernel build" },
  { package: "gcc", program: "gcc", use: "kernel build" },
  { package: "make", program: "make", use: "kernel build" },
  { package: "xz-utils", program: "xz", use: "unpacks the kernel source" },
];

/** Servers that `npm run clients` starts besides those of the tests. @type {readonly HostPiece[]} */
export const clientServerPieces = [
  { package: "redis-server", program: "redis-server", use: "a server of the clients" },
  { package: "postgresql", file: "/usr/lib/postgresql", use: "a server of the clients" },
  { package: "mariadb-server", program: "mariadbd", use: "a server of the clients" },
  { package: "mosquitto", program: "mosquitto", use: "a server of the clients" },
  { package: "openssh-server", program: "sshd", use: "a server of the clients" },
  { package: "vsftpd", program: "vsftpd", use: "a server of the clients" },
  { package: "slapd", program: "slapd", use: "a server of the clients" },
];

/**
 * Installs what is missing through apt where this user may; else names it with the command.
 *
 * @param {readonly HostPiece[]} pieces
 */
export async function installHostPackages(pieces) {
  const missing = [];
  for (const piece of pieces) {
    if (!isThere(piece) && !(await piece.unless?.())) missing.push(piece);
  }
  if (missing.length === 0) return "all there";
  const names = missing.map((piece) => piece.package);
  const hasSudo = findProgram("sudo") !== null;
  const aptGet = hasSudo ? "sudo apt-get" : "apt-get";
  const update = hasPackageLists() ? "" : `${aptGet} update && `;
  const install = `${update}${aptGet} install --no-install-recommends ${names.join(" ")}`;
  const byHand = hasSudo ? install : `as root: ${install}`;
  for (const piece of missing) say(`  missing: ${piece.package} (${piece.use})`);
  if (findProgram("apt-get") === null) {
    throw new ScriptFailure(
      `This host has no apt, and these are missing: ${names.join(", ")}`,
      "install them with the system's package manager and run this again",
    );
  }
  const prefix = await rootPrefix();
  if (prefix === null) {
    throw new ScriptFailure(
      `Installing ${names.join(", ")} needs root, and ${hasSudo ? "sudo asks for a password" : "there is no sudo"}`,
      byHand,
    );
  }
  if (!hasPackageLists()) await apt(prefix, ["update"], byHand);
  await withoutServices(prefix, () =>
    apt(prefix, ["install", "--yes", "--no-install-recommends", ...names], byHand),
  );
  const still = missing.filter((piece) => !isThere(piece));
  if (still.length > 0) {
    throw new ScriptFailure(
      `apt installed "${still[0]?.package}", but what it should bring is still missing`,
      byHand,
    );
  }
  return `installed ${names.join(", ")}`;
}

/** @param {string} name @returns {string | null} the program's path */
export function findProgram(name) {
  // An ordinary user's PATH often leaves out the system directories where mke2fs lives.
  const folders = [...(process.env.PATH ?? "").split(delimiter), "/usr/sbin", "/sbin"];
  for (const folder of folders) {
    if (folder === "") continue;
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // Not in this folder.
    }
  }
  return null;
}

/** @param {HostPiece} piece */
function isThere(piece) {
  if (piece.program !== undefined) {
    return [piece.program, ...(piece.instead ?? [])].some((name) => findProgram(name) !== null);
  }
  return piece.file !== undefined && existsSync(piece.file);
}

/** @returns {Promise<string[] | null>} words before `apt-get`, null when root is out of reach */
async function rootPrefix() {
  if (process.getuid?.() === 0) return [];
  if (findProgram("sudo") === null) return null;
  return (await run("sudo", ["-n", "true"], { silent: true })) === 0 ? ["sudo", "-n"] : null;
}

function hasPackageLists() {
  try {
    return readdirSync("/var/lib/apt/lists").some((name) => /_Packages(\.|$)/.test(name));
  } catch {
    return false;
  }
}

/** Where packages look before they start what they brought (invoke-rc.d). */
const policyFile = "/usr/sbin/policy-rc.d";

/**
 * Servers are installed for tests that run them on ports of their own: none is started as a service of the host.
 *
 * @param {string[]} prefix @param {() => Promise<void>} work
 */
async function withoutServices(prefix, work) {
  if (existsSync(policyFile)) return await work();
  const asRoot = (/** @type {string} */ script) => {
    const [file = "", ...rest] = [...prefix, "sh", "-c", script];
    return run(file, rest, { silent: true });
  };
  await asRoot(`printf '#!/bin/sh\\nexit 101\\n' > ${policyFile} && chmod 755 ${policyFile}`);
  try {
    await work();
  } finally {
    await asRoot(`rm -f ${policyFile}`);
  }
}

/** @param {string[]} prefix @param {string[]} args @param {string} hint */
async function apt(prefix, args, hint) {
  const words = [...prefix, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq", ...args];
  const [file = "", ...rest] = words;
  const status = await run(file, rest, { quiet: true });
  if (status === 0) return;
  throw new ScriptFailure(`"apt-get ${args.join(" ")}" ended with ${status}`, hint);
}
