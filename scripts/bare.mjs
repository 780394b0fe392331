// @ts-check
// `npm run bare`: proves that the two commands of the README work on a bare Debian 12. Each account gets a root made
// from scratch, with Node and git and nothing else, and runs both commands there.
//
//   npm run bare -- --only quickstart|test   one of the commands
//   npm run bare -- --user root|user         one of the accounts
//   npm run bare -- --keep                   leave the roots for a look
import { execFileSync } from "node:child_process";
import { rename } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { accounts, certificatesInside, makeRoot, prepareAccount } from "./bare/bare-root.mjs";
import { hostVariables } from "./bare/host-settings.mjs";
import { runInRoot } from "./bare/namespaces.mjs";
import { packagesCommand } from "./bare/packages-command.mjs";
import { makeFolder, removeFolder, removeLeftovers } from "./bare/temporary-folders.mjs";
import { findProgram } from "./host-packages.mjs";
import { root as repository, runMain, ScriptFailure, say, step } from "./steps.mjs";

/** @type {Readonly<Record<string, string>>} */
const commands = { quickstart: "npm run quickstart", test: "npm test" };
/** Programs of the host, and the packages that bring them. */
const programs = {
  mmdebstrap: "mmdebstrap",
  unshare: "util-linux",
  setpriv: "util-linux",
  git: "git",
};
const usage = "npm run bare -- [--only quickstart|test] [--user root|user] [--keep]";
/** The packages of a run of the machines, then those of the tests. */
const installationsMax = 2;

await runMain(async () => {
  const { only, user, keep } = flags(process.argv.slice(2));
  requireHost();
  await removeLeftovers();
  sayWhatIsTested();
  const stop = new AbortController();
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(name, () => stop.abort());
  /** @type {string[]} */
  const lines = [];
  let failed = 0;
  for (const account of accounts.filter(({ name }) => user === undefined || user === name)) {
    const folder = await makeFolder();
    try {
      const target = join(folder, "root");
      await step(`bare root for ${account.name}`, async () => {
        await makeRoot(target, stop.signal);
        await prepareAccount(target, account);
        return "Debian 12, Node and git";
      });
      for (const [name, command] of Object.entries(commands)) {
        if (stop.signal.aborted || (only !== undefined && only !== name)) continue;
        const started = performance.now();
        const failure = await prove(target, account, command, stop.signal);
        const seconds = ((performance.now() - started) / 1000).toFixed(0);
        if (failure !== null) failed++;
        const outcome = failure === null ? "ok    " : "FAILED";
        const line = `${outcome} ${command} as ${account.name} (${seconds} s)${failure ?? ""}`;
        lines.push(line);
        say(`\n${line}\n`);
      }
    } finally {
      if (keep) await keepFolder(folder);
      else await removeFolder(folder);
    }
    if (stop.signal.aborted) throw new ScriptFailure("Interrupted");
  }
  for (const line of lines) say(line);
  say(`${lines.length - failed} of ${lines.length} runs passed on a bare Debian 12`);
  return failed === 0 ? 0 : 1;
});

/**
 * Runs a command of the README. For an ordinary user, root installs the packages which the command asks for, by the very
 * words that it names, and the command runs again.
 *
 * @param {string} target @param {import("./bare/bare-root.mjs").Account} account
 * @param {string} command @param {AbortSignal} signal
 * @returns {Promise<string | null>} what failed, null when nothing did
 */
async function prove(target, account, command, signal) {
  const variables = await hostVariables(certificatesInside);
  const shell = `cd microagent && ${command}`;
  for (let installations = 0; ; installations++) {
    say(`\n$ ${command}   # as ${account.name}`);
    const { status, output } = await runInRoot(target, account, shell, { signal, variables });
    if (status === 0) return null;
    if (signal.aborted) return ": interrupted";
    const failure = `: ended with ${status}`;
    const install = packagesCommand(output);
    if (account.uid === 0 || install === null || installations === installationsMax) return failure;
    const [root = account] = accounts;
    say(`\n# ${install}`);
    // Nobody is there to answer apt's question.
    const byRoot = await runInRoot(target, root, `yes | { ${install}; }`, {
      signal,
      variables: { ...variables, DEBIAN_FRONTEND: "noninteractive" },
    });
    if (byRoot.status !== 0) return `: "${install}", which it named, ended with ${byRoot.status}`;
  }
}

/** @param {string[]} args */
function flags(args) {
  /** @type {{ only?: string, user?: string, keep?: boolean }} */
  let values;
  try {
    const text = /** @type {const} */ ({ type: "string" });
    const options = { only: text, user: text, keep: /** @type {const} */ ({ type: "boolean" }) };
    ({ values } = parseArgs({ args, options }));
  } catch (error) {
    throw new ScriptFailure(/** @type {Error} */ (error).message, usage);
  }
  expectOneOf("--only", values.only, Object.keys(commands));
  expectOneOf(
    "--user",
    values.user,
    accounts.map(({ name }) => name),
  );
  return { only: values.only, user: values.user, keep: values.keep === true };
}

/** @param {string} flag @param {string | undefined} value @param {string[]} known */
function expectOneOf(flag, value, known) {
  if (value === undefined || known.includes(value)) return;
  throw new ScriptFailure(`Flag ${flag} is "${value}": expected ${known.join(" or ")}`, usage);
}

function requireHost() {
  const missing = Object.entries(programs).filter(([name]) => findProgram(name) === null);
  if (missing.length > 0) {
    const packages = [...new Set(missing.map(([, name]) => name))];
    throw new ScriptFailure(
      `Program "${missing[0]?.[0]}" is not on PATH, and a bare root is made with it`,
      `sudo apt-get install ${packages.join(" ")}`,
    );
  }
  if (process.getuid?.() === 0) return;
  throw new ScriptFailure(
    "Only root can make a bare root and namespaces for it",
    'sudo env "PATH=$PATH" npm run bare',
  );
}

function sayWhatIsTested() {
  const git = (/** @type {string[]} */ ...words) =>
    execFileSync("git", ["-c", "safe.directory=*", ...words], {
      cwd: repository,
      encoding: "utf8",
    });
  say(`Testing commit ${git("log", "-1", "--format=%h %s").trim()}`);
  if (git("status", "--porcelain").trim() === "") return;
  say("This working tree has changes that are not committed: they are not tested");
}

/** @param {string} folder */
async function keepFolder(folder) {
  // Under a name that a later run does not remove.
  const kept = folder.replace("microagent-bare-", "microagent-kept-");
  await rename(folder, kept);
  say(`The root stays in ${kept}/root`);
}
