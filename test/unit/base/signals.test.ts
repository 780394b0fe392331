import { expect, test } from "vitest";
import { stopSignalOf } from "../../../src/workspace/signals.ts";

test.each([
  ["", "SIGTERM"],
  ["SIGQUIT", "SIGQUIT"],
  ["INT", "SIGINT"],
  ["3", "SIGQUIT"],
])('an image that says "%s" is stopped with %s', (text, signal) => {
  expect(stopSignalOf(text)).toBe(signal);
});
