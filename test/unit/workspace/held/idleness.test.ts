import { setImmediate } from "node:timers/promises";
import { expect, test } from "vitest";
import { withOp } from "../../../../src/base/op.ts";
import { Idleness } from "../../../../src/workspace/held/idleness.ts";
import { manualClock } from "../../../support/manual-clock.ts";

test("idleness begins when the last user has gone, and anew with each", async () => {
  const clock = manualClock();
  await withOp("idle", { clock }, async (op) => {
    const pass = async (ms: number) => {
      clock.advance(ms);
      await setImmediate();
    };
    const idleness = new Idleness(clock);
    let isOver = false;
    const lasted = idleness.lasted(op, 100).then(() => {
      isOver = true;
    });
    const first = idleness.begin();
    const second = idleness.begin();
    await pass(500);
    first();
    first();
    await pass(500);
    expect(isOver, "one still uses it").toBe(false);
    second();
    await pass(99);
    expect(isOver).toBe(false);
    await pass(101);
    await lasted;
    expect(isOver).toBe(true);
  });
});
