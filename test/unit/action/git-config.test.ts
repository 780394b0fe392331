import fc from "fast-check";
import { expect, test } from "vitest";
import { cleanGitConfig } from "../../../action/git-config.ts";

const token = "ghs_TOKENTOKEN";

test("what a copy needs stays", () => {
  const config = [
    "[core]",
    "\trepositoryformatversion = 0",
    "\tfilemode = true",
    "\tbare = false",
    '[remote "origin"]',
    "\turl = https://github.com/example/project",
    "\tfetch = +refs/heads/*:refs/remotes/origin/*",
    '[branch "main"]',
    "\tremote = origin",
    "\tmerge = refs/heads/main",
    "",
  ].join("\n");
  expect(cleanGitConfig(config)).toBe(config);
});

test.each([
  ["a header", `[http "https://github.com/"]\n\textraheader = AUTHORIZATION: basic ${token}`],
  ["a user in an address", `[remote "origin"]\n\turl = https://x:${token}@github.com/a/b`],
  ["a user in a quoted address", `[remote "origin"]\n\turl = "https://${token}@github.com/a/b"`],
  ["a query", `[remote "origin"]\n\turl = https://h/a/b?private_token=${token}`],
  ["an address to push to", `[remote "origin"]\n\tpushurl = https://${token}@h/a`],
  ["an address instead of a remote", `[branch "main"]\n\tremote = https://${token}@h/a`],
  ["an address that stands for another", `[url "https://${token}@h/"]\n\tinsteadOf = https://h/`],
  ["a remote named by its address", `[remote "https://${token}@h/"]\n\tfetch = a:b`],
  ["a helper", `[credential]\n\thelper = "!echo password=${token}"`],
  ["a command", `[core]\n\tsshCommand = ssh -o ${token}\n\tfsmonitor = ${token}`],
  ["an included file", `[include]\n\tpath = /tmp/${token}`],
  ["a condition", `[includeIf "gitdir:/x/"]\n\tpath = /tmp/${token}`],
  ["a continued line", `[remote "origin"]\n\turl = https://h/\\\n${token}`],
  ["a comment", `[remote "origin"]\n\turl = https://h/a ; ${token}\n# ${token}`],
  [
    "a section on the line of a setting",
    `[remote "o"]\n[http] extraheader = ${token}\n\turl = ${token}`.replace(
      "\turl",
      "\textraheader",
    ),
  ],
  [
    "a section that is not understood",
    `[core]\n[remote.origin]\n\turl = https://${token}@h/\n\tbare = ${token}`,
  ],
])("no credential comes along in %s", (_what, config) => {
  expect(cleanGitConfig(`[core]\n\tbare = false\n${config}\n`)).not.toContain("TOKEN");
});

test("whatever a configuration looks like, only settings of the list are left", () => {
  const parts = [
    "[core]",
    '[http "x"]',
    "[remote]",
    " ",
    "\n",
    "\\",
    "\t",
    "=",
    "url",
    "bare",
    "x",
    '"',
    "#",
  ];
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom(...parts, "helper = TOKEN\n"), { maxLength: 30 }),
      (words) => {
        for (const line of cleanGitConfig(words.join("")).split("\n")) {
          expect(line).toMatch(/^$|^\[|^\t[a-z]+ = /);
          expect(line).not.toMatch(/^\thelper/);
        }
      },
    ),
  );
});
