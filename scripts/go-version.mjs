// @ts-check
// Versions of Go: what a go.mod demands, and which of two is the newer one.
import { ScriptFailure } from "./steps.mjs";

const version = String.raw`\d+\.\d+(?:\.\d+|(?:rc|beta)\d+)?`;

/** The version in what `go version` prints; null when there is none. @param {string} text */
export function printedGo(text) {
  return new RegExp(`\\bgo(${version})`).exec(text)?.[1] ?? null;
}

/**
 * Reads a go.mod: the oldest Go that can build the module, and the one to fetch where there is none.
 *
 * @param {string} text
 * @returns {{ least: string, fetch: string }}
 */
export function demandedGo(text) {
  const least = new RegExp(`^go (${version})\\s*(?://.*)?$`, "m").exec(text)?.[1];
  if (least === undefined) {
    throw new ScriptFailure('File "guest/go.mod" has no "go" line: expected "go 1.N.N"');
  }
  const named = new RegExp(`^toolchain go(${version})\\s*(?://.*)?$`, "m").exec(text)?.[1] ?? least;
  return { least: whole(least), fetch: whole(compareGo(named, least) > 0 ? named : least) };
}

/** Toolchains have three numbers, a go.mod may leave out the last one. @param {string} text */
function whole(text) {
  return /^\d+\.\d+$/.test(text) ? `${text}.0` : text;
}

/** Negative when `a` is the older one, 0 when they are equal. @param {string} a @param {string} b */
export function compareGo(a, b) {
  const [left, right] = [parts(a), parts(b)];
  const index = left.findIndex((number, at) => number !== right[at]);
  return index === -1 ? 0 : (left[index] ?? 0) - (right[index] ?? 0);
}

/** @param {string} text @returns {number[]} major, minor, stage (beta, rc, released), number */
function parts(text) {
  const [, major, minor, stage = ".", number = "0"] =
    /^(\d+)\.(\d+)(?:(\.|rc|beta)(\d+))?$/.exec(text) ?? [];
  return [Number(major), Number(minor), ["beta", "rc", "."].indexOf(stage), Number(number)];
}
