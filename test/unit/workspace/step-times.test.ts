import { expect, test } from "vitest";
import { startOp } from "../../../src/base/op.ts";
import { StepTimes } from "../../../src/workspace/step-times.ts";

test("steps are added up by name and listed one by one from the start of the run", async () => {
  let now = 1000;
  const clock = { now: () => now, monotonic: () => now, after: () => () => {} };
  const seen: string[] = [];
  const times = new StepTimes("run", clock, (event) => seen.push(`${event.kind} ${event.path}`));
  const { op, end } = startOp("run", { clock, onProgress: times.listener });
  now += 5;
  await op.step("boot", async (boot) => {
    now += 10;
    await boot.step("start", async () => {
      now += 7;
    });
  });
  const failure = op.step("boot", async () => {
    now += 1;
    throw new Error("no");
  });
  await expect(failure).rejects.toThrow("no");
  end();
  expect(times.totalsMs()).toEqual({ "boot/start": 7, boot: 18 });
  expect(times.spans()).toEqual([
    { step: "boot", startMs: 5, ms: 17, failed: false },
    { step: "boot/start", startMs: 15, ms: 7, failed: false },
    { step: "boot", startMs: 22, ms: 1, failed: true },
  ]);
  expect(seen[0]).toBe("step-start run/boot");
});
