// @ts-check
// The one place that decides which Go everything here runs: the host's where it is as new as
// guest/go.mod demands, otherwise the toolchain as the module that the Go project publishes.
import { existsSync, readFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { downloadToolchain, toolchainName } from "./go-toolchain.mjs";
import { compareGo, demandedGo, printedGo } from "./go-version.mjs";
import { findProgram, installHostPackages } from "./host-packages.mjs";
import { root, run, ScriptFailure } from "./steps.mjs";

/**
 * @typedef {object} GoHost where Go is looked for
 * @property {string} goMod the file whose demand counts
 * @property {string} folder keeps toolchains that were downloaded as modules
 * @property {() => string[]} programs Go commands of the host, the preferred one first
 * @property {() => Promise<unknown>} installPackage gives a host without any Go the distribution's
 * @property {NodeJS.ProcessEnv} env
 *
 * @typedef {{ program: string, env: NodeJS.ProcessEnv }} Go what to start, and in which environment
 */

/** @type {GoHost} */
const thisHost = {
  goMod: join(root, "guest", "go.mod"),
  folder: join(root, ".microagent", "go"),
  programs: goPrograms,
  installPackage: () => installHostPackages(goPieces()),
  env: process.env,
};

/**
 * The Go to use. Downloads or installs one where there is none that is new enough.
 *
 * @param {GoHost} host
 * @returns {Promise<Go>}
 */
export async function ensureGo(host = thisHost) {
  const demanded = demandedGo(readFileSync(host.goMod, "utf8"));
  let found = await versionsOf(host);
  const own = join(host.folder, toolchainName(demanded.fetch), "bin", "go");
  if (found.length === 0 && !existsSync(own)) {
    await host.installPackage();
    found = await versionsOf(host);
  }
  const enough = found.find(({ version }) => compareGo(version, demanded.least) >= 0);
  if (enough !== undefined) return usable(host, enough.program, false);
  if (!existsSync(own)) {
    const [old] = found;
    if (old === undefined) {
      throw new ScriptFailure(
        "The Go toolchain is not installed, and the guest agent is built with it",
        `install Go ${demanded.least} or newer: sudo apt-get install golang-go`,
      );
    }
    await downloadToolchain({ ...host, old, ...demanded });
  }
  return usable(host, own, true);
}

/** Where Go is on this host: on PATH, and where its own archive is unpacked by convention. */
export function goPrograms() {
  const onPath = findProgram("go");
  const conventional = "/usr/local/go/bin/go";
  const programs = onPath === null ? [] : [onPath];
  return existsSync(conventional) && onPath !== conventional
    ? [...programs, conventional]
    : programs;
}

/** Where Go looks for the certificates of servers, besides the variables that name another place. */
const certificates = [
  "/etc/ssl/certs/ca-certificates.crt",
  "/etc/pki/tls/certs/ca-bundle.crt",
  "/etc/ssl/ca-bundle.pem",
  "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
  "/etc/ssl/cert.pem",
];

/**
 * What a build of the guest agent needs of the host's packages and does not find there.
 *
 * @returns {import("./host-packages.mjs").HostPiece[]}
 */
export function goPieces() {
  const { fetch } = demandedGo(readFileSync(thisHost.goMod, "utf8"));
  const own = join(thisHost.folder, toolchainName(fetch), "bin", "go");
  /** @type {import("./host-packages.mjs").HostPiece[]} */
  const pieces = [];
  if (goPrograms().length === 0 && !existsSync(own)) {
    pieces.push({ package: "golang-go", program: "go", use: "builds the guest agent" });
  }
  const named = process.env.SSL_CERT_FILE ?? process.env.SSL_CERT_DIR;
  const [usual = ""] = certificates;
  if (named === undefined && !certificates.some((path) => existsSync(path))) {
    pieces.push({ package: "ca-certificates", file: usual, use: "Go trusts its servers by them" });
  }
  return pieces;
}

/** @param {GoHost} host @returns {Promise<{ program: string, version: string }[]>} */
async function versionsOf(host) {
  const found = await Promise.all(
    host.programs().map(async (program) => ({ program, version: await goVersion(program, host) })),
  );
  return found.flatMap(({ program, version }) => (version === null ? [] : [{ program, version }]));
}

/** @param {string} program @param {GoHost} host */
async function goVersion(program, host) {
  let text = "";
  const env = { ...host.env, GOTOOLCHAIN: "local" };
  await run(program, ["version"], { env, silent: true, onStdout: (chunk) => (text += chunk) });
  return printedGo(text);
}

/** @param {GoHost} host @param {string} program @param {boolean} own @returns {Go} */
function usable(host, program, own) {
  // This Go builds, and never another one that it downloads by itself.
  /** @type {NodeJS.ProcessEnv} */
  const env = { ...host.env, GOTOOLCHAIN: "local" };
  // It would lead a toolchain of our own to the host's compiler.
  if (own) delete env.GOROOT;
  if (findProgram("go") !== program) {
    env.PATH = [dirname(program), env.PATH ?? ""].join(delimiter);
  }
  return { program, env };
}
