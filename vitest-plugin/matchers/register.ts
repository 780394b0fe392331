import { expect } from "vitest";
import { toHaveChangedOnly, toHaveFile, toHaveProcess, toListenOn } from "./machine.ts";
import { toExitWith, toSucceed } from "./result.ts";
import "./types.ts";

/** Teaches `expect` about machines. */
export function registerMatchers(): void {
  expect.extend({
    toSucceed,
    toExitWith,
    toListenOn,
    toHaveFile,
    toHaveProcess,
    toHaveChangedOnly,
  });
}
