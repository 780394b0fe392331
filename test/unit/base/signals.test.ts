import { expect, test } from "vitest";
import { signalNumber, stopSignalOf } from "../../../src/base/signals.ts";

test.each([
  ["", "SIGTERM"],
  ["SIGQUIT", "SIGQUIT"],
  ["INT", "SIGINT"],
  ["3", "SIGQUIT"],
  ["sigusr1", "SIGUSR1"],
  ["poll", "SIGIO"],
  ["37", "SIG37"],
  ["SIG37", "SIG37"],
  ["SIGRTMIN+3", "SIG37"],
  ["rtmin+3", "SIG37"],
  ["RTMIN", "SIG34"],
  ["SIGRTMAX-1", "SIG63"],
])('an image that says "%s" is stopped with %s', (text, signal) => {
  expect(stopSignalOf(text)).toBe(signal);
});

test.each([
  "SIG",
  "SIGNONE",
  "0",
  "32",
  "65",
  "999",
  "RTMIN-1",
  "RTMIN+31",
  "RTMAX+1",
  "RTMAX-31",
  "15 ",
])('there is no signal "%s"', (text) => {
  expect(signalNumber(text)).toBeNull();
});
