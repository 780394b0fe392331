import { describe, expect, test } from "vitest";
import { problemText } from "../../../src/spec/problem.ts";
import { parsed, problems, refusal } from "./spec-texts.ts";

describe("broken YAML has one clear problem with a place", () => {
  test.each([
    ["", "1:1: The spec file is empty"],
    ["# nothing\n", "1:1: The spec file is empty"],
    ["---\n", "1:1: The spec file is empty"],
    ["resources:\n\tcpuCount: 2\n", "2:1: A tab is used for indentation"],
    ["name: a\nimage: b\nname: c\n", '3:1: Key "name" is set twice: wanted it once'],
    [
      "resources:\n  cpuCount: 1\n  cpuCount: 2\n",
      '3:3: Key "cpuCount" is set twice in "resources"',
    ],
    ["name: a\n---\nname: b\n", "2:1: The file holds a second document"],
    ["%YAML 1.1\n---\nname: a\n", "1:1: The file says YAML 1.1: wanted YAML 1.2"],
    ["name: !!js/function x\n", "1:7: This tag is unknown or does not fit"],
    ["name: !mine x\n", "1:7: This tag is unknown or does not fit"],
    ["name: *nowhere\n", '1:7: Alias "*nowhere" has no anchor before it'],
    ["name: *later\nimage: &later x\n", '1:7: Alias "*later" has no anchor before it'],
    ["setup: &a [*a]\n", '1:12: Alias "*a" stands inside its own anchor'],
    ["resources: &r\n  <<: *r\n", '2:7: Alias "*r" stands inside its own anchor'],
    ["resources:\n  <<: 3\n", '2:7: A merge key ("<<") has a value that is no mapping'],
    ["? [a]\n: b\n", "1:3: A key is not a text"],
    [": b\n", "1:1: A key is not a text"],
    ["__proto__: {a: 1}\n", '1:1: Key "__proto__" cannot be used'],
    ["env:\n  __proto__: x\n", '2:3: Key "__proto__" cannot be used'],
    ['name: "a\\q"\n', "1:9: This escape is unknown in double quotes"],
    ["name: @a\n", "1:7: A plain text cannot start with this character"],
    ["name: a: b\n", "1:7: A block stands where one value belongs"],
    ["name: [a\n", "The indentation does not fit"],
    ['name: "a\n', "A character is missing here"],
    ["name: a\u0007b\n", "1:8: Character U+0007 is not allowed"],
  ])("%j", (text, message) => {
    const [problem] = problems(text);
    expect(problem && problemText(problem)).toContain(message);
  });
});

describe("YAML that is well defined", () => {
  test("a byte order mark and CRLF are no part of the text", () => {
    expect(parsed("\ufeffname: a\r\nimage: b\r\n").spec).toEqual({ name: "a", image: "b" });
  });

  test("anchors, aliases and merge keys expand, own keys winning", () => {
    const { spec } = parsed(
      "outputs:\n  - &first {name: a, path: /a}\n  - {<<: *first, name: b}\n  - <<: [*first]\n    name: c\n",
    );
    expect(spec.outputs).toEqual([
      { name: "a", path: "/a" },
      { path: "/a", name: "b" },
      { path: "/a", name: "c" },
    ]);
  });

  test("a problem in an aliased value is shown where the value is written", () => {
    const [problem] = problems("setup:\n  - &cmd ''\n  - *cmd\n");
    expect(problem?.line).toBe(2);
    expect(problem?.path).toBe("setup[0]");
  });

  test("environment values are taken as they are written", () => {
    const { spec } = parsed("env: {A: 1.10, B: 0x10, C: true, D: 007, E: '', F: ~x, G: no}\n");
    expect(spec.env).toEqual({
      A: "1.10",
      B: "0x10",
      C: "true",
      D: "007",
      E: "",
      F: "~x",
      G: "no",
    });
  });

  test("names that objects have by themselves are ordinary keys", () => {
    expect(Object.entries(parsed("env: {constructor: a, toString: b}\n").spec.env ?? {})).toEqual([
      ["constructor", "a"],
      ["toString", "b"],
    ]);
    expect(problems("constructor: x\n")[0]?.sentence).toMatch(/^Unknown key "constructor"/);
  });
});

describe("files that are made to be costly", () => {
  const MiB = 1024 * 1024;
  test.each([
    ["brackets", "[".repeat(MiB)],
    ["sequence dashes", "- ".repeat(MiB / 2)],
    ["nested mappings", "a: {".repeat(MiB / 4)],
    ["indentation", Array.from({ length: 1000 }, (_, i) => `${" ".repeat(i)}a:\n`).join("")],
    ["keys", Array.from({ length: 80_000 }, (_, i) => `k${i}: 1\n`).join("")],
    ["anchors", "&a ".repeat(MiB / 3)],
    ["directives", "%\n".repeat(MiB / 2)],
    ["documents", "---\n".repeat(MiB / 4)],
    ["braces", "}".repeat(MiB)],
    ["question marks", "? ".repeat(MiB / 2)],
    ["quotes", `"${"\\x".repeat(MiB / 2 - 2)}`],
    ["commas", `[${",".repeat(MiB - 1)}`],
  ])("%s", (_, text) => {
    expect(refusal(text).code).toBe("spec_invalid");
  });

  test("an alias bomb is refused by its number of expansions", () => {
    const lines = ["setup: &a0 [x]"];
    for (let i = 1; i < 30; i++) lines.push(`k${i}: &a${i} [*a${i - 1}, *a${i - 1}]`);
    expect(problems(lines.join("\n")).at(0)?.sentence).toContain(
      "Aliases expand more than 100 times",
    );
  });

  test("nesting is refused by its depth", () => {
    expect(problems(`setup: ${"[".repeat(80)}${"]".repeat(80)}`)[0]?.sentence).toContain(
      "nested deeper than 64",
    );
  });

  test("a file above the cap is refused unread", () => {
    expect(refusal("#".repeat(MiB + 1)).message).toContain("larger than 1024 KiB");
  });
});
