import { isToken } from "./http-fields.ts";

/** Blanks of Python beyond those of JavaScript: FS, GS, RS, US, NEL. */
const moreBlanks: string = String.fromCharCode(0x1c, 0x1d, 0x1e, 0x1f, 0x85);
/**
 * What some server splits a request line at: Python takes every blank of its language, Apache and Go fewer. Leading ones are
 * skipped by some.
 */
const blanks: RegExp = new RegExp(`[\\s${moreBlanks}]+`);
const leading: RegExp = new RegExp(`^${blanks.source}`);
/** Methods that a server takes without a version after the target (HTTP/0.9, and what servers made of it). */
const oldMethods: ReadonlySet<string> = new Set(
  "GET HEAD POST PUT DELETE OPTIONS PATCH TRACE CONNECT PROPFIND".split(" "),
);

/**
 * Whether some server could read a line as the first one of an HTTP request, or as its beginning. `whole`: the line has ended.
 * Protocols of lines begin with a token as well (`EHLO me`, `*3`): they are told apart by what follows it.
 */
export function couldBeRequest(line: string, whole: boolean): boolean {
  const text = line.replace(leading, "");
  if (text === "") return true;
  const [method = "", ...rest] = (whole ? text.replace(/\r$/, "") : text).split(blanks);
  if (!isToken(method)) return false;
  if (!whole) return true;
  if (/HTTP\//i.test(text)) return true;
  const last = rest.at(-1) ?? "";
  // The versions of other protocols (RTSP/1.0, SIP/2.0) are none of HTTP.
  if (rest.length > 1 && /^[A-Z]+\/[0-9]\.[0-9]$/.test(last)) return false;
  const name = method.toUpperCase();
  const target = rest[0] ?? "";
  // Python takes any word behind GET for a target, and reads the fields after it.
  if (method === "GET" && target !== "") return true;
  // A line of the PROXY protocol: the request follows it.
  return name === "PROXY" || (oldMethods.has(name) && /^\/|:\/\//.test(target));
}
