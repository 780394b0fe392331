import { expect, test } from "vitest";
import {
  asMicroagentError,
  errnoOf,
  exitCodeOf,
  isMicroagentError,
  MicroagentError,
} from "../../../src/base/errors.ts";

test("usage is 2, what is worth a retry is 75, everything else is 1", () => {
  expect(exitCodeOf(new MicroagentError("usage", "X"))).toBe(2);
  expect(exitCodeOf(new MicroagentError("registry_rate_limited", "X"))).toBe(75);
  expect(exitCodeOf(new MicroagentError("spec_invalid", "X"))).toBe(1);
});

test("a foreign error becomes internal and keeps its cause", () => {
  const cause = new TypeError("x is not a function");
  const error = asMicroagentError(cause);
  expect(error).toMatchObject({ code: "internal", blame: "bug", cause });
  expect(error.hint).toContain("--debug");
});

test("our errors pass unchanged, also from a second copy of the package", () => {
  const error = new MicroagentError("timeout", "X");
  expect(asMicroagentError(error)).toBe(error);
  const twin = Object.assign(new Error("Y"), { [Symbol.for("microagent.error")]: true });
  expect(isMicroagentError(twin)).toBe(true);
  expect(isMicroagentError(new Error("Z"))).toBe(false);
});

test("errno is read from system errors only", () => {
  expect(errnoOf(Object.assign(new Error("x"), { code: "ENOENT" }))).toBe("ENOENT");
  expect(errnoOf(new Error("x"))).toBeUndefined();
  expect(errnoOf("ENOENT")).toBeUndefined();
  expect(errnoOf(new MicroagentError("timeout", "X"))).toBeUndefined();
});
