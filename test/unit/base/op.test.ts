import { expect, test } from "vitest";
import { isMicroagentError } from "../../../src/base/errors.ts";
import { type Progress, startOp, withOp } from "../../../src/base/op.ts";
import { manualClock } from "../../support/manual-clock.ts";

const never = () => new Promise<never>(() => {});

test("a step that takes too long fails with its own name", async () => {
  const clock = manualClock();
  const { op, end } = startOp("dispatch", { clock });
  const waiting = op.step("boot", never, { timeoutMs: 50 });
  clock.advance(49);
  clock.advance(1);
  await expect(waiting).rejects.toMatchObject({ code: "timeout", step: "dispatch/boot" });
  end();
});

test("a child's bound cannot outlive its parent's", async () => {
  const clock = manualClock();
  const { op, end } = startOp("run", { clock, timeoutMs: 30 });
  const waiting = op.step("inner", never, { timeoutMs: 1_000 });
  clock.advance(30);
  await expect(waiting).rejects.toMatchObject({ code: "timeout", step: "run" });
  end();
});

test("remaining time never goes below zero and shrinks in children", async () => {
  const clock = manualClock();
  const { op, end } = startOp("run", { clock, timeoutMs: 100 });
  await op.step(
    "short",
    async (child) => {
      expect(child.remainingMs()).toBe(10);
    },
    { timeoutMs: 10 },
  );
  clock.advance(500);
  expect(op.remainingMs()).toBe(0);
  end();
});

test("an outer abort ends a wait as cancelled", async () => {
  const controller = new AbortController();
  const waiting = withOp("x", { signal: controller.signal }, (op) => op.step("y", never));
  controller.abort();
  const error: unknown = await waiting.catch((caught: unknown) => caught);
  expect(isMicroagentError(error) && error.code).toBe("cancelled");
});

test("an op that is aborted before it starts never runs its work", async () => {
  const controller = new AbortController();
  controller.abort();
  let ran = false;
  const waiting = withOp("x", { signal: controller.signal }, async () => {
    ran = true;
  });
  await expect(waiting).rejects.toMatchObject({ code: "cancelled" });
  expect(ran).toBe(false);
});

test("a sleep ends with the clock, and its timer goes away with an abort", async () => {
  const clock = manualClock();
  const controller = new AbortController();
  const { op, end } = startOp("x", { clock, signal: controller.signal });
  const slept = op.sleep(20);
  clock.advance(20);
  await slept;
  const cut = op.sleep(1_000_000);
  controller.abort();
  await expect(cut).rejects.toMatchObject({ code: "cancelled" });
  end();
});

test("steps report start and end with path and duration, failed or not", async () => {
  const clock = manualClock();
  const seen: Progress[] = [];
  const { op, end } = startOp("a", { clock, onProgress: (event) => seen.push(event) });
  await op.step("b", async (step) => {
    clock.advance(7);
    step.report({ kind: "note", text: "hello" });
  });
  await op.step("c", () => Promise.reject(new Error("no"))).catch(() => {});
  end();
  expect(seen).toEqual([
    { kind: "step-start", path: "a/b" },
    { kind: "note", text: "hello", path: "a/b" },
    { kind: "step-end", ms: 7, failed: false, path: "a/b" },
    { kind: "step-start", path: "a/c" },
    { kind: "step-end", ms: 0, failed: true, path: "a/c" },
  ]);
});

test("works run side by side and give their results in order", async () => {
  const seen: string[] = [];
  const results = await withOp("boot", {}, (op) =>
    op.together([
      async () => {
        seen.push("first begins");
        await op.sleep(5);
        return 1;
      },
      async () => {
        seen.push("second begins");
        return "two";
      },
    ]),
  );
  expect(results).toEqual([1, "two"]);
  expect(seen).toEqual(["first begins", "second begins"]);
});

test("the first failure aborts the others and waits until they have ended", async () => {
  let tidied = false;
  const running = withOp("boot", {}, (op) =>
    op.together([
      async (side) => {
        try {
          await side.race(never());
        } finally {
          await op.sleep(5);
          tidied = true;
        }
      },
      async () => {
        throw new Error("no kernel");
      },
    ]),
  );
  await expect(running).rejects.toThrow("no kernel");
  expect(tidied).toBe(true);
});

test("an abort from outside reaches works that run side by side, and its reason is kept", async () => {
  const controller = new AbortController();
  const { op, end } = startOp("boot", { signal: controller.signal });
  const running = op.together([(side) => side.race(never()), (side) => side.race(never())]);
  controller.abort();
  await expect(running).rejects.toMatchObject({ code: "cancelled" });
  end();
});
