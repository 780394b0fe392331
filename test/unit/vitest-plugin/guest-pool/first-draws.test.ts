import { expect, test } from "vitest";
import { FirstDraws } from "../../../../vitest-plugin/guest-pool/first-draws.ts";

test("a clone that has drawn what another drew does not go on", () => {
  const draws = new FirstDraws();
  expect(draws.refusalOf("a")).toBeNull();
  expect(draws.refusalOf("b")).toBeNull();
  expect(draws.refusalOf("a")?.message).toBe("Two machines have drawn the same random bytes");
  expect(new FirstDraws().refusalOf("a")).toBeNull();
});
