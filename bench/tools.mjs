// Programs that the floors need. A missing one ends the run with the command that installs it: a case that was left
// out would look like a case that was met.
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { findProgram } from "../scripts/host-packages.mjs";
import { ScriptFailure } from "../scripts/steps.mjs";

const packages = {
  umoci: "umoci",
  mke2fs: "e2fsprogs",
  gcc: "gcc libc6-dev",
  mmdebstrap: "mmdebstrap",
};
const execute = promisify(execFile);

/** Absolute path of a program of the host. */
export function requireProgram(name) {
  const path = findProgram(name);
  if (path !== null) return path;
  throw new ScriptFailure(
    `Program "${name}" is not installed, and a floor needs it`,
    `sudo apt-get install ${packages[name] ?? name}`,
  );
}

/** Runs a program to its end; a failure ends the benchmark with the program's own words. */
export async function runProgram(name, args, options = {}) {
  const path = name.includes("/") ? name : requireProgram(name);
  try {
    const settings = { maxBuffer: 64 * 1024 * 1024, ...options };
    return (await execute(path, args, settings)).stdout;
  } catch (error) {
    const words = String(error.stderr ?? "").trim();
    throw new ScriptFailure(`"${[name, ...args].join(" ")}" failed: ${words || error.message}`);
  }
}
