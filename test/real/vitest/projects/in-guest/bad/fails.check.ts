import { expect, test } from "vitest";
import { sign } from "../src/sign.ts";

test("is wrong", () => {
  expect(sign(-1)).toBe("positive");
});
