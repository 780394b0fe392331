import { expect, test } from "vitest";
import { processUsage } from "../../../src/host/process-usage.ts";

test("what a process has used can be told, and grows with what it does", async () => {
  const before = await processUsage(process.pid);
  // A few hundredths of a second of work, whatever the host's speed.
  const until = process.cpuUsage().user + 60_000;
  while (process.cpuUsage().user < until);
  const after = await processUsage(process.pid);
  expect(after?.cpuMs ?? 0).toBeGreaterThan(before?.cpuMs ?? Number.POSITIVE_INFINITY);
  expect(after?.memoryBytes ?? 0).toBeGreaterThan(1024 * 1024);
  expect(await processUsage(0x7ffffff0)).toBeNull();
});
