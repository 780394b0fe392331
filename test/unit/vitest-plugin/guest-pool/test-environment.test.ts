import { expect, test } from "vitest";
import { resolvePoolOptions } from "../../../../vitest-plugin/guest-pool/options.ts";
import { testEnvironment } from "../../../../vitest-plugin/guest-pool/test-environment.ts";

test("tests get Vitest's environment, the configuration's and the pool's, and nothing else", () => {
  const settings = resolvePoolOptions({ env: { OURS: "1", NODE_ENV: "pool" } });
  const env = {
    VITEST: "true",
    NODE_ENV: "test",
    CI: undefined,
    DECLARED: "2",
    ALSO: "3",
    HOME: "/home/me",
    TOKEN: "secret",
  };
  const config = { env: { DECLARED: "2" } };
  const project = { config: { env: { ALSO: "3" } }, vitest: { config } };
  expect(testEnvironment(settings, { env, project } as never)).toEqual({
    VITEST: "true",
    NODE_ENV: "pool",
    DECLARED: "2",
    ALSO: "3",
    OURS: "1",
  });
});
