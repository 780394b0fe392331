import { expect, test } from "vitest";
import { codeOnly } from "./code-only.ts";

const open = "$" + "{";

test("comments, strings and regular expressions are blanked, line for line", () => {
  const source = 'const a = "any"; // any\n/* any\n any */ const b = 1 / any / 2;\nx(/[/]any/g);\n';
  const code = codeOnly(source);
  expect(code.match(/any/g)).toHaveLength(1);
  expect(code.split("\n")).toHaveLength(source.split("\n").length);
  expect(code.split("\n")[2]).toContain("1 / any / 2");
});

test("code inside a template stays, its text goes", () => {
  expect(codeOnly(`const c = \`any ${open}any} any\`;`).match(/any/g)).toHaveLength(1);
  const nested = `const d = \`${open}a ? \`any ${open}any}\` : { any: {} }} any\`; any();`;
  expect(codeOnly(nested).match(/any/g)).toHaveLength(3);
});
