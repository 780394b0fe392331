import { execFileSync } from "node:child_process";
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  type ShellValue,
  shellLine,
  shellText,
} from "../../../../vitest-plugin/machine/shell-words.ts";

function text(strings: TemplateStringsArray, ...values: ShellValue[]): string {
  return shellText(strings, values);
}

function run(script: string): string {
  return execFileSync("sh", ["-c", script], { encoding: "utf8" });
}

const words = fc.string({ unit: "grapheme" }).map((word) => word.replaceAll("\0", ""));

test("a value is one word, whatever is in it", () => {
  fc.assert(
    fc.property(words, (word) => {
      expect(run(text`printf %s ${word}`)).toBe(word);
    }),
    { numRuns: 60 },
  );
});

test("a list is one word for each of its items, and the text around is the shell's", () => {
  expect(run(text`printf '<%s>' ${["a b", "$HOME", 7]} && echo ${"it's"}`)).toBe(
    "<a b><$HOME><7>it's\n",
  );
  expect(text`printf '\n'`).toBe("printf '\\n'");
});

test("an argument vector is shown as one could type it", () => {
  const argv = ["printf", "%s", "it's", "", "plain-1.2", "a b"];
  expect(run(shellLine(argv))).toBe(run(`printf '%s' "it's" '' plain-1.2 'a b'`));
});
