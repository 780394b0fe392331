import { info } from "@actions/core";

/** Owners of the matchers that the setup actions of common languages leave behind. */
const owners = [
  ...["eslint-compact", "eslint-stylish", "tsc", "python", "go", "javac", "csc", "fsc", "rustc"],
  ...["checkout-git", "gcc", "phpunit"],
];

/**
 * Takes the problem matchers of earlier steps out of the job: they read every line, also where the runner takes no
 * commands, and a guest's words would become annotations.
 */
export function silenceMatchers(): void {
  for (const owner of owners) info(`::remove-matcher owner=${owner}::`);
}
