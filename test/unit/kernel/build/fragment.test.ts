import { describe, expect, it } from "vitest";
import { lostLines, readFragment } from "../../../../src/kernel/build/fragment.ts";

describe("lostLines", () => {
  const config = 'CONFIG_A=y\nCONFIG_B=m\n# CONFIG_C is not set\nCONFIG_NAME="x"\n';

  it("is empty when every line survived", () => {
    expect(
      lostLines('# note\n\nCONFIG_A=y\nCONFIG_NAME="x"\n# CONFIG_C is not set\n', config),
    ).toEqual([]);
  });

  it("names what changed its value or went away", () => {
    expect(lostLines("CONFIG_A=y\nCONFIG_B=y\nCONFIG_D=y\n", config)).toEqual([
      "CONFIG_B=y",
      "CONFIG_D=y",
    ]);
  });

  it("names what was to be off and is on, and takes an option that does not exist for off", () => {
    expect(lostLines("# CONFIG_A is not set\n# CONFIG_NONE is not set\n", config)).toEqual([
      "# CONFIG_A is not set",
    ]);
  });
});

describe("the shipped fragment", () => {
  it("asks for each option once, in lines the check understands", async () => {
    const fragment = await readFragment("x86_64");
    const lines = fragment?.text.split("\n").filter((line) => line.includes("CONFIG_")) ?? [];
    const names = lines.map(
      (line) => /^(?:# )?(CONFIG_\w+)(?:=(?:y|\d+|"[^"]*")| is not set)$/.exec(line)?.[1] ?? line,
    );
    expect(names.length).toBeGreaterThan(200);
    expect(names.filter((name) => !/^CONFIG_\w+$/.test(name))).toEqual([]);
    expect(names.filter((name, at) => names.indexOf(name) !== at)).toEqual([]);
  });

  it("is absent for an architecture nobody wrote one for", async () => {
    expect(await readFragment("aarch64")).toBeNull();
  });
});
