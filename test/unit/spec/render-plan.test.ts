import { expect, test } from "vitest";
import { renderPlan } from "../../../src/spec/render-plan.ts";
import { merge } from "./spec-texts.ts";

test("the printed plan is stable and plain JSON", () => {
  const plan = merge(
    { name: "n", volume: ["v:/m"] },
    "files: [{src: a, dst: /b, mode: '644'}]\nsetup: [{file: s}]",
  );
  const text = JSON.stringify(renderPlan(plan));
  expect(
    JSON.stringify(
      renderPlan(
        merge(
          { name: "n", volume: ["v:/m"] },
          "files: [{src: a, dst: /b, mode: '644'}]\nsetup: [{file: s}]",
        ),
      ),
    ),
  ).toBe(text);
  expect(JSON.parse(text)).toMatchObject({
    name: "n",
    files: [{ src: "/base/a", dst: "/b", mode: "0644" }],
    setup: [{ file: "/base/s", from: "setup[0].file" }],
    network: { mode: "user", addresses: { ipv4: { address: "10.0.2.15/24" } } },
    egress: { mode: "guarded", maxTotalBytes: 50 * 1024 ** 3, maxConns: 256 },
    origin: { name: "flag", volumes: "flag", files: "spec" },
  });
});
