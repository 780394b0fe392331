import { describe, expect, test } from "vitest";
import { everyArchitecture, planBuild } from "../../../scripts/build-guest.mjs";

const [own = "", other = ""] = everyArchitecture();
const binaries = (arch: string) =>
  ["agent", "network"].map((program) => `microagent-${program}-linux-${arch}`);
const names = ({ build }: ReturnType<typeof planBuild>) => build.map(({ name }) => name);
const nothing = () => null;
const all = (stamp: string) => () => stamp;

describe("what a build of the guest agent does", () => {
  test("the host's architecture comes first", () => {
    expect(own).toBe(process.arch === "arm64" ? "arm64" : "amd64");
    expect(names(planBuild([other, own], nothing, "now"))).toEqual([
      ...binaries(own),
      ...binaries(other),
    ]);
  });

  test("an architecture that nobody asked for is not built", () => {
    expect(names(planBuild([own], nothing, "now"))).toEqual(binaries(own));
    expect(names(planBuild([other], nothing, "now"))).toEqual(binaries(other));
  });

  test("what is current is left alone, for each binary of its own", () => {
    expect(planBuild([own, other], all("now"), "now")).toEqual({ build: [], outdated: [] });
    const missing = binaries(other)[1] ?? "";
    const stampOf = (name: string) => (name === missing ? null : "now");
    expect(names(planBuild([own, other], stampOf, "now"))).toEqual([missing]);
    expect(planBuild([own], stampOf, "now")).toEqual({ build: [], outdated: [] });
  });

  test("an outdated binary of the other architecture does not stay", () => {
    expect(planBuild([own], all("before"), "now")).toMatchObject({ outdated: binaries(other) });
    expect(planBuild([own], nothing, "now").outdated).toEqual([]);
    expect(planBuild([own, other], all("before"), "now").outdated).toEqual([]);
  });

  test("a binary without a record of its sources is outdated", () => {
    const plan = planBuild([own], all(""), "now");
    expect(names(plan)).toEqual(binaries(own));
    expect(plan.outdated).toEqual(binaries(other));
  });
});
