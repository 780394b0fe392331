import { describe, expect, test } from "microagent-ci/vitest/test";

describe.concurrent("more tests than there is room for", () => {
  for (let index = 0; index < 4; index++) {
    test(`stays a while ${index}`, async ({ vm, expect: own }) => {
      own(await vm.exec`sleep 2`).toSucceed();
    });
  }
});

describe.concurrent("no room in time", () => {
  test("holds all of it", async ({ boot, expect: own }) => {
    const [a] = await Promise.all([boot(), boot()]);
    own(await a.exec`sleep 6`).toSucceed();
  });
  test("waits in vain", async ({ boot }) => {
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    await boot();
  });
});

test("one machine fits", async ({ vm }) => {
  expect(await vm.exec`true`).toSucceed();
});
