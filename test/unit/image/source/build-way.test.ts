import { expect, test } from "vitest";
import { startOp } from "../../../../src/base/op.ts";
import { type BuildFacts, buildWay } from "../../../../src/image/source/build-way.ts";

const everything: BuildFacts = {
  isRoot: false,
  rootMay: true,
  userRangeFault: async () => null,
  findTool: async (name) => `/usr/bin/${name}`,
};

async function way(facts: Partial<BuildFacts>) {
  const { op, end } = startOp("test");
  try {
    return await buildWay(op, { ...everything, ...facts });
  } finally {
    end();
  }
}

const refused = async () => "user namespaces are not allowed here";

test.each<[string, Partial<BuildFacts>, object]>([
  ["root", { isRoot: true }, { mode: "root", words: ["mmdebstrap", "--mode=root"] }],
  ["an ordinary user", {}, { mode: "unshare", words: ["mmdebstrap"] }],
  [
    "an ordinary user of a container",
    { userRangeFault: refused },
    {
      mode: "fakechroot",
      why: "with fakechroot (user namespaces are not allowed here)",
      words: ["fakechroot", "fakeroot", "mmdebstrap", "--mode=fakechroot"],
    },
  ],
  ["root without its capabilities", { isRoot: true, rootMay: false }, { mode: "fakechroot" }],
])("%s builds in the way that works", async (_who, facts, expected) => {
  expect(await way(facts)).toMatchObject(expected);
});

test.each([
  ["neither", () => null],
  ["only one", (name: string) => (name === "fakeroot" ? "/usr/bin/fakeroot" : null)],
])("with %s of the packages, the error names both", async (_what, find) => {
  await expect(
    way({ userRangeFault: refused, findTool: async (name) => find(name) }),
  ).rejects.toMatchObject({
    code: "host_tool_missing",
    message:
      'Images cannot be built here: user namespaces are not allowed here, and programs "fakechroot" and "fakeroot" are not both installed',
    hint: "Install them with: sudo apt-get install --yes fakechroot fakeroot",
  });
});

test("root that may not use chroot needs no sudo", async () => {
  const facts = { isRoot: true, rootMay: false, findTool: async () => null };
  await expect(way(facts)).rejects.toMatchObject({
    hint: "Install them with: apt-get install --yes fakechroot fakeroot",
  });
});
