import { describe, expect, test } from "vitest";
import { hostnameFrom } from "../../../../src/spec/merge.ts";
import { merge } from "../spec-texts.ts";

describe("profiles", () => {
  test("fill in what neither flag nor resources say", () => {
    const plan = merge({ cpus: "8" }, "profile: medium\nresources: {memoryMiB: 100}");
    expect(plan.resources).toEqual({
      memoryMib: 100,
      cpus: 8,
      sizeMib: 8192,
      sizePinned: false,
      headroomMib: 512,
    });
    expect(plan.provenance).toMatchObject({
      "resources.memoryMiB": "spec",
      "resources.cpuCount": "flag",
      "resources.sizeMiB": "profile",
    });
  });

  test.each([
    ["tiny", 256, 1, 512],
    ["small", 512, 2, 1024],
    ["medium", 2048, 2, 8192],
    ["large", 4096, 4, 16384],
  ])("%s", (profile, memoryMib, cpus, sizeMib) => {
    expect(merge({ profile }).resources).toMatchObject({ memoryMib, cpus, sizeMib });
  });

  test("resources of the spec beat a profile by flag, and the plan says so", () => {
    const plan = merge({ profile: "large" }, "resources: {memoryMiB: 100}");
    expect(plan.resources).toMatchObject({ memoryMib: 100, cpus: 4 });
    expect(plan.notes).toEqual([
      'Profile "large" does not change resources.memoryMiB: the spec sets it',
    ]);
  });

  test("a size that somebody gave is pinned", () => {
    expect(merge({ sizeMib: 100 }).resources.sizePinned).toBe(true);
    expect(merge({}, "resources: {sizeMiB: 100}").resources.sizePinned).toBe(true);
    expect(merge({ profile: "tiny" }).resources.sizePinned).toBe(false);
  });
});

test.each([
  ["research", "research"],
  ["a.b_c", "a-b-c"],
  ["-x-", "x"],
  ["...", "microagent"],
  [`${"a".repeat(62)}._b`, "a".repeat(62)],
])("the host name of %j is %j", (name, hostname) => {
  expect(hostnameFrom(name)).toBe(hostname);
});
