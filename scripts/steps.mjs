// @ts-check
// How the scripts of this folder speak and start programs. Node's own modules only: these run
// before the dependencies are there.
import { spawn } from "node:child_process";
import { constants } from "node:os";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";

/** The repository's root directory, absolute. */
export const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** A failure that is explained by its message alone; it is shown without a stack. */
export class ScriptFailure extends Error {
  /** @param {string} message @param {string} [hint] the next step, a command when there is one */
  constructor(message, hint) {
    super(message);
    this.hint = hint;
  }
}

/** @param {string} text */
export function say(text) {
  process.stderr.write(`${text}\n`);
}

/**
 * Runs one named step and prints what it did and how long it took. The work returns a short
 * sentence about the outcome, for example `up to date`.
 *
 * @param {string} name
 * @param {() => Promise<string> | string} work
 */
export async function step(name, work) {
  const started = performance.now();
  const outcome = await work();
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  say(`[${name}] ${outcome} (${seconds} s)`);
}

/**
 * Runs a program to its end with our output and no input.
 *
 * @param {string} file
 * @param {readonly string[]} args
 * @param {{ cwd?: string, env?: NodeJS.ProcessEnv, quiet?: boolean, silent?: boolean,
 *           onStdout?: (chunk: Buffer) => void, onStderr?: (chunk: Buffer) => void }} [options] `quiet`
 *   hides the output unless the program fails, `silent` always; `onStdout` and `onStderr` receive the
 *   output instead of the terminal
 * @returns {Promise<number>} the exit code; 128 + number for a signal; 127 when it is not there
 */
export function run(file, args, options = {}) {
  const quiet = options.quiet === true || options.silent === true;
  const pipeOut = quiet || options.onStdout !== undefined;
  const pipeError = quiet || options.onStderr !== undefined;
  return new Promise((resolve) => {
    /** @type {Buffer[]} */
    const held = [];
    const child = spawn(file, args, {
      cwd: options.cwd ?? root,
      env: options.env ?? process.env,
      stdio: ["ignore", pipeOut ? "pipe" : "inherit", pipeError ? "pipe" : "inherit"],
    });
    const forward = passSignalsTo(child);
    child.stdout?.on("data", (chunk) => {
      if (options.onStdout === undefined) held.push(chunk);
      else options.onStdout(chunk);
    });
    child.stderr?.on("data", (chunk) => {
      if (options.onStderr === undefined) held.push(chunk);
      else options.onStderr(chunk);
    });
    child.once("error", () => {
      forward.stop();
      resolve(127);
    });
    child.once("close", (code, signal) => {
      forward.stop();
      const status = code ?? 128 + (signal === null ? 0 : constants.signals[signal]);
      if (status !== 0 && options.silent !== true)
        for (const chunk of held) process.stderr.write(chunk);
      resolve(status);
    });
  });
}

/**
 * As `run`, but a failure ends the script.
 *
 * @param {string} file
 * @param {readonly string[]} args
 * @param {Parameters<typeof run>[2] & { hint?: string }} [options]
 */
export async function mustRun(file, args, options = {}) {
  const status = await run(file, args, options);
  if (status === 0) return;
  const shown = [file, ...args].join(" ");
  const ending = status === 127 ? "is not installed or not on PATH" : `ended with ${status}`;
  throw new ScriptFailure(`"${shown}" ${ending}`, options.hint);
}

/**
 * Runs a script's main function: a `ScriptFailure` becomes one line and a hint, and exit code 1.
 *
 * @param {() => Promise<number>} main returns the exit code
 */
export async function runMain(main) {
  try {
    process.exitCode = await main();
  } catch (error) {
    if (!(error instanceof ScriptFailure)) throw error;
    say(`error: ${error.message}`);
    if (error.hint !== undefined) say(`  try: ${error.hint}`);
    process.exitCode = 1;
  }
}

/** @param {string} moduleUrl the caller's `import.meta.url` */
export function isMain(moduleUrl) {
  return process.argv[1] !== undefined && fileURLToPath(moduleUrl) === process.argv[1];
}

/** @param {number} pid */
export function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return /** @type {NodeJS.ErrnoException} */ (error).code === "EPERM";
  }
}

/**
 * The child decides how to end on Ctrl-C; this process waits for it instead of dying first.
 *
 * @param {import("node:child_process").ChildProcess} child
 */
function passSignalsTo(child) {
  const onInterrupt = () => {};
  const onTerminate = () => child.kill("SIGTERM");
  process.on("SIGINT", onInterrupt);
  process.on("SIGTERM", onTerminate);
  return {
    stop() {
      process.off("SIGINT", onInterrupt);
      process.off("SIGTERM", onTerminate);
    },
  };
}
