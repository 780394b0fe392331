import { expect, test } from "vitest";
import { flagsOf } from "../../../action/flags.ts";
import { PrintedTail } from "../../../action/printed-tail.ts";
import { withTails } from "../../../action/step-result.ts";
import { mergeSpec } from "../../../src/spec/merge.ts";
import { Capture } from "../../../src/workspace/capture.ts";
import { captured, resultOf } from "./sample-result.ts";
import { settingsOf } from "./sample-settings.ts";

function planOf(inputs: Readonly<Record<string, string>> = {}) {
  const settings = settingsOf({ image: "oci:./x", ...inputs });
  const flags = flagsOf(settings, { name: "w", outputDir: "/o" }, null);
  return mergeSpec({ flags, file: null, surface: "dispatch", cwd: "/" });
}

function tailsOf(text: string) {
  const stdout = new PrintedTail();
  stdout.add(Buffer.from(text));
  return { stdout, stderr: new PrintedTail() };
}

test("the end of what was printed is kept, in whatever pieces it came, and no more", () => {
  const tail = new PrintedTail();
  const text = Array.from({ length: 30_000 }, (_, at) => `line ${at}\n`).join("");
  for (let at = 0; at < text.length; at += 777) tail.add(Buffer.from(text.slice(at, at + 777)));
  expect(tail.text()).toBe(text.slice(-64 * 1024));
  const once = new PrintedTail();
  once.add(Buffer.from(text));
  expect(once.text()).toBe(text.slice(-64 * 1024));
  const short = new PrintedTail();
  short.add(Buffer.from("a"));
  short.add(Buffer.from("b"));
  expect(short.text()).toBe("ab");
});

test("an output that is longer than its record ends as it ended, not where the record does", () => {
  const cut = Capture.of("the beginning", true);
  const { stdout } = withTails(planOf(), resultOf({ stdout: cut }), tailsOf("the end"));
  expect(stdout.text()).toBe("the end");
  const whole = resultOf({ stdout: captured("all of it") });
  expect(withTails(planOf(), whole, tailsOf("x")).stdout.text()).toBe("all of it");
});

test("where a guest has secrets, only the record may be shown, which knows them", () => {
  const plan = planOf({ secrets: "A=env:A" });
  const cut = resultOf({ stdout: Capture.of("the beginning", true) });
  expect(withTails(plan, cut, tailsOf("the end")).stdout.text()).toBe("");
  expect(withTails(plan, resultOf({ stdout: captured("x ***") }), tailsOf("y")).stdout.text()).toBe(
    "x ***",
  );
});
