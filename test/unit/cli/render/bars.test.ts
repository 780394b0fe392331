import fc from "fast-check";
import { expect, test } from "vitest";
import { barLines } from "../../../../src/cli/render/bars.ts";
import { progressView } from "../../../../src/cli/render/progress.ts";
import type { Amount } from "../../../../src/cli/render/progress-text.ts";
import type { Terminal } from "../../../../src/cli/terminal.ts";

const mib = 1024 * 1024;
const amount = (label: string, done: number, total: number | null): Amount => ({
  kind: "amount",
  path: "dispatch/boot/image",
  label,
  done,
  total,
  unit: "bytes",
});

test("layers side by side have their columns under each other", () => {
  const lines = barLines(
    [amount("layer 0a1b", 10 * mib, 40 * mib), amount("layer 2", 0, 8 * mib), amount("x", 5, null)],
    80,
    6,
  );
  expect(lines).toEqual([
    "layer 0a1b  [======>                       ]  10.0 MiB of 40.0 MiB (25 %)",
    "layer 2     [                              ]  0 B of 8.0 MiB (0 %)",
    "x                                             5 B",
  ]);
});

test("a narrow terminal loses the bar first, and no line is wider than it", () => {
  expect(barLines([amount("layer", 1, 2)], 30, 6)).toEqual(["layer  1 B of 2 B (50 %)"]);
  expect(barLines([amount("layer", 1, 2)], 36, 6)).toEqual([
    "layer  [===>    ]  1 B of 2 B (50 %)",
  ]);
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.string(), fc.nat(), fc.option(fc.nat())), { maxLength: 9 }),
      fc.integer({ min: 1, max: 200 }),
      (all, columns) => {
        const lines = barLines(
          all.map(([label, done, total]) => amount(label, done, total)),
          columns,
          6,
        );
        expect(lines.length).toBe(Math.min(6, all.length));
        for (const line of lines) expect(line.length).toBeLessThanOrEqual(columns);
      },
    ),
  );
});

test("more than fits is counted", () => {
  const many = Array.from({ length: 9 }, (_, i) => amount(`layer ${i}`, 1, 2));
  expect(barLines(many, 80, 6).at(-1)).toBe("and 4 more");
});

function view(tty: boolean) {
  let err = "";
  const terminal = {
    json: false,
    stderrIsTty: tty,
    columns: 80,
    writeErr: async (data: string | Uint8Array) => {
      err += data.toString();
    },
  } as unknown as Terminal;
  return { ...progressView(terminal), said: () => err };
}

test("two bars are erased together before other output comes", async () => {
  const { listener, clear, said } = view(true);
  listener(amount("one", 1, 4));
  await new Promise((resolve) => setTimeout(resolve, 100));
  listener(amount("two", 2, 4));
  clear();
  expect(said().split("\n")).toHaveLength(2);
  expect(said().endsWith("\r\u001b[2K\u001b[1A\u001b[2K")).toBe(true);
  expect(said().match(/one {2}\[/g)).toHaveLength(2);
});

test("a bar goes when its amount is whole or its step has ended", async () => {
  const { listener, said } = view(true);
  listener(amount("one", 1, 4));
  listener(amount("one", 4, 4));
  listener({ kind: "step-end", path: "dispatch/boot/image", ms: 3, failed: false });
  await new Promise((resolve) => setTimeout(resolve, 100));
  listener({ kind: "step-start", path: "dispatch/boot/base" });
  expect(said().endsWith("\r\u001b[2Kboot/base ...")).toBe(true);
});

test("where lines stay there are no bars", () => {
  const { listener, said } = view(false);
  listener(amount("one", 1, 4));
  listener({ kind: "step-end", path: "dispatch/boot/image", ms: 3_000, failed: false });
  expect(said()).toBe("boot/image took 3.0 s\n");
});

test.each([true, false])("a failure is told once, by the innermost step (terminal: %s)", (tty) => {
  const { listener, said } = view(tty);
  for (const path of ["dispatch/boot/image", "dispatch/boot"]) {
    listener({ kind: "step-end", path, ms: 3_000, failed: true });
  }
  listener({ kind: "step-end", path: "dispatch/teardown", ms: 3_000, failed: true });
  expect(said().match(/failed/g)).toHaveLength(2);
  expect(said()).toMatch(/boot\/image/);
  expect(said()).toMatch(/teardown/);
});
