import { expect, test } from "vitest";
import type { Flags } from "../../../src/spec/flags.ts";
import { parseSpec } from "../../../src/spec/load.ts";
import { mergeSpec } from "../../../src/spec/merge.ts";
import { checkHostRoom } from "../../../src/workspace/host-room.ts";

const host = { cpuCount: 2, memoryMib: 2048, memoryLimitedBy: null };

function checked(flags: Flags, spec?: string): () => void {
  const file = spec === undefined ? null : parseSpec(spec, "agent.yaml", "/");
  const plan = mergeSpec({ flags, file, surface: "run", cwd: "/" });
  return () => checkHostRoom(plan, host);
}

test("what the host can hold passes", () => {
  checked({ cpus: "16", memory: "2048" })();
  checked({}, "profile: medium\n")();
});

test.each([
  [
    { cpus: "999" },
    "Flag --cpus: 999 virtual CPUs are too many on a host with 2: wanted at most 16",
  ],
  [
    { memory: "999999" },
    "Flag --memory: 999999 MiB of memory are more than this host has: wanted at most 2048",
  ],
  [
    { profile: "large" },
    'Profile "large": 4096 MiB of memory are more than this host has: wanted at most 2048',
  ],
])("%j is refused with what was wanted", (flags, message) => {
  expect(checked(flags)).toThrow(expect.objectContaining({ code: "invalid_argument", message }));
});

test("a field of the spec is refused at its place", () => {
  const refused = checked({ memory: "512" }, "resources:\n  cpuCount: 65\n  memoryMiB: 999999\n");
  expect(refused).toThrow(
    expect.objectContaining({
      code: "spec_invalid",
      message: expect.stringContaining("agent.yaml:2:13: 65 virtual CPUs"),
    }),
  );
});

test("a limit that is not the hardware's is named", () => {
  const limited = { ...host, memoryLimitedBy: "this container" };
  const plan = mergeSpec({ flags: { memory: "4096" }, file: null, surface: "run", cwd: "/" });
  expect(() => checkHostRoom(plan, limited)).toThrow(
    "Flag --memory: 4096 MiB of memory are more than the limit of this container: wanted at most 2048",
  );
});
