import { expect, test } from "vitest";
import { flagsOf } from "../../../action/flags.ts";
import { withinRunner } from "../../../action/runner-room.ts";
import { parseSpec } from "../../../src/spec/load.ts";
import { mergeSpec } from "../../../src/spec/merge.ts";
import { settingsOf } from "./sample-settings.ts";

const runner = { memoryMib: 5_000, cpuCount: 2 };

function resourcesOf(inputs: Readonly<Record<string, string>>, more = "", host = runner) {
  const spec = parseSpec(`image: oci:./x\nagent: { entry: a }\n${more}`, "agent.yaml", "/");
  const flags = flagsOf(settingsOf({ file: "a", ...inputs }), { name: "w", outputDir: "/o" }, spec);
  const plan = mergeSpec({ flags, file: spec, surface: "dispatch", cwd: "/" });
  const { memoryMib, cpus } = withinRunner(plan, host).resources;
  return [memoryMib, cpus];
}

test.each([
  ["a default that fits", {}, "", [512, 2]],
  ["a profile that fits", { profile: "medium" }, "", [2048, 2]],
  ["a profile that is too large", { profile: "large" }, "", [2952, 2]],
  ["numbers that were asked for", { profile: "large", memory: "4900", cpus: "3" }, "", [4900, 3]],
  ["numbers of the Agentfile", {}, "resources: { memoryMiB: 4900, cpuCount: 4 }", [4900, 4]],
])("%s", (_what, inputs, more, wanted) => {
  expect(resourcesOf(inputs, more)).toEqual(wanted);
});

test("a very small runner still gives something", () => {
  expect(resourcesOf({}, "", { memoryMib: 1_000, cpuCount: 1 })).toEqual([256, 1]);
});
