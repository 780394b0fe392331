import { expect, test } from "vitest";
import type { Agent } from "../../../src/agent/agent.ts";
import { type EntryType, treeEntry } from "../../../src/agent/tree.ts";
import { MicroagentError } from "../../../src/base/errors.ts";
import { withOp } from "../../../src/base/op.ts";
import { globGuest } from "../../../src/workspace/guest-glob.ts";
import type { ReachableGuest } from "../../../src/workspace/reachable-guest.ts";

const tree: Readonly<Record<string, readonly [name: string, type: EntryType][]>> = {
  "/": [
    ["data", "dir"],
    ["link", "symlink"],
    ["a\\b", "file"],
  ],
  "/data": [
    [".hidden", "dir"],
    ["a", "dir"],
    ["a.txt", "file"],
    ["b.txt", "file"],
    ["x+y.txt", "file"],
  ],
  "/data/a": [["deep.txt", "file"]],
  "/data/.hidden": [["c.txt", "file"]],
  "/link": [["behind.txt", "file"]],
};

/** A guest with that tree and nothing else; `lost` says how its channel ended. */
function guest(lost: MicroagentError | null = null): ReachableGuest {
  const readdir: Agent["readdir"] = async (_op, path) => {
    if (lost !== null) throw lost;
    const found = tree[path];
    if (found === undefined) throw new MicroagentError("guest_refused", "It is no directory");
    return found.map(([name, type]) => treeEntry({ path: name, type }));
  };
  return {
    agent: { readdir } as Agent,
    explaining: (_doing, work) => work,
  } as ReachableGuest;
}

const glob = (pattern: string, from = guest()) =>
  withOp("test", { timeoutMs: 20_000 }, (op) => globGuest(op, from, pattern));

test.each<[string, readonly string[]]>([
  ["/data/*.txt", ["/data/a.txt", "/data/b.txt", "/data/x+y.txt"]],
  ["/data/?.txt", ["/data/a.txt", "/data/b.txt"]],
  ["/data/[a-m].txt", ["/data/a.txt", "/data/b.txt"]],
  ["/data/[!a].txt", ["/data/b.txt"]],
  ["/data/x+y.txt", ["/data/x+y.txt"]],
  ["/data/**/*.txt", ["/data/a.txt", "/data/a/deep.txt", "/data/b.txt", "/data/x+y.txt"]],
  ["/**/deep.txt", ["/data/a/deep.txt"]],
  ["/**/behind.txt", []],
  ["/link/*", ["/link/behind.txt"]],
  ["/data/.h*/*", ["/data/.hidden/c.txt"]],
  ["/data/a.txt/*", []],
  ["/nowhere/*", []],
  ["/a[\\]b", ["/a\\b"]],
  ["/data/[", []],
])("%s finds what it says", async (pattern, found) => {
  expect(await glob(pattern)).toEqual(found);
});

test.each(["/data/[z-a]", "relative/*"])("%s is no pattern", async (pattern) => {
  await expect(glob(pattern)).rejects.toMatchObject({
    code: "invalid_argument",
    message: expect.stringContaining(`Pattern "${pattern}"`),
  });
});

test("a guest that is gone has not been searched", async () => {
  const gone = guest(new MicroagentError("channel_closed", "The guest is gone"));
  await expect(glob("/data/*", gone)).rejects.toMatchObject({ code: "channel_closed" });
});
