import { expect, test } from "microagent-ci/vitest/test";

test.beforeAll(async ({ sharedVm }) => {
  await sharedVm.writeFile("/seed", "sown");
});

for (const index of [1, 2, 3]) {
  test(`test ${index} finds the seed, and nothing of the others`, async ({ sharedVm }) => {
    expect(await sharedVm.readFile("/seed", "utf8")).toBe("sown");
    expect((await sharedVm.exec`cat /own`).exitCode).toBe(1);
    await sharedVm.writeFile("/own", `${index}`);
  });
}
