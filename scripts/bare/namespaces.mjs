// @ts-check
// Runs programs whose processes and mounts all go when this process does, and commands in a root directory as a default
// container would: its capabilities, no namespaces to be made, no devices of the host but the usual six.
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { root as repository } from "../steps.mjs";

const folder = join(repository, "scripts", "bare");
const outputCharactersMax = 64 * 1024;
const systemPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/**
 * Runs a program as the first process of its own namespaces, all but the network. The kernel ends everything in there
 * when this process dies, however that happens.
 *
 * @param {readonly string[]} words
 * @param {{ signal: AbortSignal, variables?: Record<string, string> }} options `signal` ends it
 * @returns {Promise<{ status: number, output: string }>} `output` is the last part of what it printed
 */
export function runApart(words, { signal, variables = {} }) {
  const namespaces = ["--mount", "--pid", "--mount-proc", "--ipc", "--uts", "--fork"];
  const guard = ["--pdeathsig", "KILL", "unshare", "--kill-child", ...namespaces];
  const env = { PATH: systemPath, LANG: "C.UTF-8", TERM: "dumb", ...variables };
  return new Promise((resolve, reject) => {
    let output = "";
    // In a group of its own, so that Ctrl-C comes by way of this process.
    const options = { env, detached: true };
    const child = spawn("setpriv", [...guard, ...words], {
      ...options,
      stdio: ["ignore", "pipe", "pipe"],
    });
    const kill = () => child.kill("SIGKILL");
    signal.addEventListener("abort", kill);
    if (signal.aborted) kill();
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (/** @type {Buffer} */ chunk) => {
        process.stderr.write(chunk);
        output = (output + chunk.toString()).slice(-outputCharactersMax);
      });
    }
    child.once("error", reject);
    child.once("close", (code) => {
      signal.removeEventListener("abort", kill);
      resolve({ status: code ?? 137, output });
    });
  });
}

/**
 * Runs a shell command as an account of the root, in its home directory.
 *
 * @param {string} target the root directory
 * @param {import("./bare-root.mjs").Account} account
 * @param {string} command
 * @param {{ signal: AbortSignal, variables?: Record<string, string> }} options
 */
export function runInRoot(target, account, command, options) {
  const confine = readFileSync(join(folder, "confine.pl"), "utf8");
  const { uid, home, path } = account;
  const words = [join(folder, "enter.sh"), target, confine, String(uid), home, path, command];
  return runApart(["sh", ...words], options);
}
