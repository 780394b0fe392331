import { expect, test } from "vitest";
import { nearestName } from "../../../src/spec/nearest.ts";

test.each([
  ["memoryMib", ["memoryMiB", "cpuCount"], "memoryMiB"],
  ["cred_swap", ["entry", "cred-swap"], "cred-swap"],
  ["enviroment", ["env", "environment"], "environment"],
  ["ouputs", ["outputs", "profile"], "outputs"],
  ["imgae", ["image", "name"], "image"],
  ["x", ["y", "z"], null],
  ["zzzz", ["image", "name"], null],
  ["", ["image"], null],
  ["a".repeat(1000), ["image"], null],
])("%j in %j", (found, candidates, nearest) => {
  expect(nearestName(found, candidates)).toBe(nearest);
});
