// @vitest-environment in-machine
import { hostname } from "node:os";
import { expect, test } from "vitest";

test("has the environment that it asks for", () => {
  expect((globalThis as { readAtSetup?: string }).readAtSetup).toBe(hostname());
});
