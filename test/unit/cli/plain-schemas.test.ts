import "../../../src/cli/plain-schemas.ts";
import { expect, test } from "vitest";
import { config } from "zod";

test("the command line's setting is one that zod has", () => {
  expect(config()).toMatchObject({ jitless: true });
});
