// @ts-check
// The guest agent's own checks: `go vet`, then `go test -json` counted test by test.
import { join } from "node:path";
import { ensureGo } from "./find-go.mjs";
import { root, run, say } from "./steps.mjs";

/**
 * @typedef {{ Action: string, Package?: string, Test?: string, Output?: string }} GoEvent
 * @typedef {{ passed: number, failed: number, skipped: number }} Counts
 */

/** Runs both and returns the counts; a failing `go vet` counts as one failed test. */
export async function runGoTests() {
  const { program, env } = await ensureGo();
  const cwd = join(root, "guest");
  const vet = await run(program, ["vet", "./..."], { cwd, env });
  if (vet !== 0) say("go vet failed");
  let text = "";
  const status = await run(program, ["test", "-json", "./..."], {
    cwd,
    env,
    onStdout: (chunk) => {
      text += chunk;
    },
  });
  const counts = countGoTests(text);
  if (vet !== 0) counts.failed++;
  // A build that fails before any test ran leaves only an exit code.
  if (status !== 0 && counts.failed === 0) counts.failed++;
  return counts;
}

/**
 * Counts leaf tests, prints one line per package, and the output of what failed.
 *
 * @param {string} text what `go test -json` printed
 * @returns {Counts}
 */
export function countGoTests(text) {
  const counts = { passed: 0, failed: 0, skipped: 0 };
  /** @type {Map<string, string>} */
  const outcomes = new Map();
  /** @type {Map<string, string[]>} */
  const outputs = new Map();
  for (const event of parseEvents(text)) {
    const key = `${event.Package ?? ""}\0${event.Test ?? ""}`;
    if (event.Action === "output")
      outputs.set(key, [...(outputs.get(key) ?? []), event.Output ?? ""]);
    if (["pass", "fail", "skip"].includes(event.Action)) outcomes.set(key, event.Action);
  }
  const keys = [...outcomes.keys()];
  for (const [key, outcome] of outcomes) {
    const [pack = "", test = ""] = key.split("\0");
    const below = keys.filter(
      (other) => other.startsWith(test === "" ? key : `${key}/`) && other !== key,
    );
    if (test === "" && below.length > 0 && outcome !== "fail")
      say(`go ${outcome} ${pack}: ${below.length} tests`);
    if (outcome === "fail") {
      if (below.some((other) => outcomes.get(other) === "fail")) continue;
      counts.failed++;
      say(`go FAIL ${pack} ${test}`);
      say((outputs.get(key) ?? []).join(""));
    } else if (test !== "" && below.length === 0) {
      if (outcome === "pass") counts.passed++;
      else {
        counts.skipped++;
        say(`go skip ${pack} ${test}: ${(outputs.get(key) ?? []).join("").trim()}`);
      }
    }
  }
  return counts;
}

/** @param {string} text @returns {GoEvent[]} */
function parseEvents(text) {
  /** @type {GoEvent[]} */
  const events = [];
  for (const line of text.split("\n")) {
    if (!line.startsWith("{")) continue;
    events.push(JSON.parse(line));
  }
  return events;
}
