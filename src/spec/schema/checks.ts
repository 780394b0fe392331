import { safeNamePattern } from "../../base/ids.ts";
import type { Check, Fault } from "./field-notes.ts";

const fine = null;
const refused: Fault = {};

const controls = /\p{Cc}/u;

/** Not empty, not only blanks, no NUL. */
export const isFilled: Check = (value) => {
  if (value === "") return refused;
  return value.trim() === ""
    ? { why: "is blank" }
    : value.includes("\0")
      ? { why: "holds a NUL" }
      : fine;
};

/** A name that is safe as a file name on every host. */
export const isSafeName: Check = (value) => (safeNamePattern.test(value) ? fine : refused);

/** Letters, digits and inner hyphens, at most 63: one label of a host name. */
export const isHostname: Check = (value) =>
  /^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$/.test(value) ? fine : refused;

/** A name every shell takes as a variable. */
export const isEnvName: Check = (value) => {
  if (value === "__proto__") return refused;
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(value) ? fine : refused;
};

/** An environment value: any text without NUL. */
export const isEnvValue: Check = (value) => (value.includes("\0") ? { why: "holds a NUL" } : fine);

/** An absolute path in the guest. */
export const isGuestPath: Check = (value) => {
  if (value.includes("\0")) return { why: "holds a NUL" };
  if (value.startsWith("~")) return { why: "starts with a tilde", hint: "Write the path in full" };
  return value.startsWith("/") ? fine : { why: "is not absolute" };
};

/** An absolute guest path of something below the root directory. */
export const isGuestPathBelowRoot: Check = (value) => {
  const fault = isGuestPath(value);
  if (fault !== null) return fault;
  return isRootDirectory(value) ? { why: "is the root directory" } : fine;
};

/** An absolute guest path that names a file, so not a directory by its spelling. */
export const isGuestFile: Check = (value) => {
  const fault = isGuestPathBelowRoot(value);
  if (fault !== null) return fault;
  return /\/\.{0,2}$/.test(value) ? { why: "names a directory" } : fine;
};

function isRootDirectory(path: string): boolean {
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return parts.length === 0;
}

/** A path on this host, relative or absolute. */
export const isHostPath: Check = (value) => isFilled(value);

/** Permission bits in octal, as text. */
export const isOctalMode: Check = (value) => (/^0?[0-7]{3,4}$/.test(value) ? fine : refused);

/** An image name in any transport; the image layer parses it. */
export const isImageName: Check = (value) => {
  if (value === "") return refused;
  if (controls.test(value)) return { why: "holds a control character" };
  return /\s/.test(value) ? { why: "holds a blank" } : fine;
};

/** A duration such as `250ms`, `1.5s` or `1m30s`. */
export const isDuration: Check = (value) =>
  /^(\d+(\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)((\d+(\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h))*$/.test(value)
    ? fine
    : refused;

/** `GET` path of a probe. */
export const isUrlPath: Check = (value) => (/^\/[^\s]*$/.test(value) ? fine : refused);

/** An absolute http or https URL. */
export const isHttpUrl: Check = (value) =>
  /^https?:\/\//.test(value) && URL.canParse(value) ? fine : refused;
