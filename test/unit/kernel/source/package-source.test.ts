import { describe, expect, it } from "vitest";
import { withOp } from "../../../../src/base/op.ts";
import type { Apt, AptPackage } from "../../../../src/kernel/source/apt.ts";
import { followMetaPackage } from "../../../../src/kernel/source/package-source.ts";

/** Package lists as a table of dependencies. */
function lists(table: Readonly<Record<string, readonly string[]>>): Apt {
  return {
    async show(_op, name): Promise<AptPackage | null> {
      const depends = table[name];
      return depends === undefined ? null : { name, version: "1", sha256: "0".repeat(64), depends };
    },
    async download() {
      throw new Error("nothing is fetched here");
    },
    async refresh() {
      return false;
    },
  };
}

const wanted = /^linux-(image|modules)-[0-9]/;

function follow(apt: Apt, candidates: readonly string[]) {
  return withOp("test", {}, async (op) =>
    (await followMetaPackage(op, apt, candidates, wanted)).map(({ name }) => name),
  );
}

describe("followMetaPackage", () => {
  it("takes the first meta package the distribution has", async () => {
    const debian = lists({
      cloud: ["linux-image-6.1.0-1-cloud"],
      "linux-image-6.1.0-1-cloud": ["kmod"],
      general: ["linux-image-6.1.0-1"],
      "linux-image-6.1.0-1": [],
    });
    expect(await follow(debian, ["cloud", "general"])).toEqual(["linux-image-6.1.0-1-cloud"]);
    expect(await follow(debian, ["absent", "general"])).toEqual(["linux-image-6.1.0-1"]);
  });

  it("brings the modules where they are a package of their own", async () => {
    const ubuntu = lists({
      virtual: ["linux-image-generic-thing", "linux-image-6.8.0-1-generic"],
      "linux-image-6.8.0-1-generic": ["kmod", "linux-modules-6.8.0-1-generic"],
      "linux-modules-6.8.0-1-generic": ["linux-image-6.8.0-1-generic"],
    });
    expect(await follow(ubuntu, ["virtual"])).toEqual([
      "linux-image-6.8.0-1-generic",
      "linux-modules-6.8.0-1-generic",
    ]);
  });

  it("names what it looked for when there is nothing", async () => {
    await expect(follow(lists({ cloud: ["gone-1"] }), ["cloud", "x"])).rejects.toMatchObject({
      code: "kernel_not_found",
      message: expect.stringContaining('"cloud", "x"'),
    });
  });
});
