import fc from "fast-check";
import { expect, test } from "vitest";
import { GuestLog } from "../../../action/guest-log.ts";
import { GuestOutput } from "../../../action/guest-output.ts";
import { LineCutter, neutralLine } from "../../../action/neutral-text.ts";
import { readLog } from "../../fixtures/actions/log-reader.ts";

const esc = "\u001b";
const encoder = new TextEncoder();

/** What foreign text is made of when somebody means harm. */
const pieces = [
  ...[
    "::",
    ":",
    "##[",
    "##",
    "#",
    "[",
    "]",
    "\r",
    "\n",
    "\r\n",
    " ",
    "\t",
    "\u00a0",
    "\u0085",
    "\u2028",
  ],
  ...[
    "set-env",
    "add-path",
    "stop-commands",
    "name=x",
    "endgroup",
    "error",
    "/evil",
    "%0A",
    "é",
    "😀",
  ],
  ...[
    `${esc}[31m`,
    `${esc}[0m`,
    `${esc}]0;t\u0007`,
    `${esc}[2J`,
    esc,
    "\u0000",
    "\u200b",
    "\ufeff",
    "x",
  ],
];
const foreign = fc
  .array(fc.oneof(fc.constantFrom(...pieces), fc.string({ maxLength: 5 })), { maxLength: 40 })
  .map((parts) => parts.join(""));

/** The runner's answer to text that came in these chunks, with no region around it: the second line of defence. */
function heard(chunks: readonly Uint8Array[]) {
  const cutter = new LineCutter();
  const lines = [...chunks.flatMap((chunk) => cutter.push(chunk)), ...cutter.end()];
  return readLog(lines.map((line) => `${neutralLine(line)}\n`).join(""));
}

function cut(bytes: Uint8Array, sizes: readonly number[]): Uint8Array[] {
  const chunks: Uint8Array[] = [];
  let at = 0;
  for (const size of sizes) {
    chunks.push(bytes.subarray(at, at + size));
    at += size;
  }
  return [...chunks, bytes.subarray(at)];
}

test("no foreign text is a command, in whatever pieces it comes, even without a guarded region", () => {
  fc.assert(
    fc.property(foreign, fc.array(fc.nat(7), { maxLength: 30 }), (text, sizes) => {
      expect(heard(cut(encoder.encode(text), sizes)).commands).toEqual([]);
    }),
    { numRuns: 2000 },
  );
});

test("the oracle hears the same text when nothing neutralizes it", () => {
  const commands = (text: string) => readLog(text).commands.map(({ name }) => name);
  expect(commands("  ::add-path::/evil\n")).toEqual(["add-path"]);
  expect(commands("x\r::set-env name=A::1\n")).toEqual(["set-env"]);
  expect(commands("words ##[set-output name=a]b\n")).toEqual(["set-output"]);
});

test("a region ends with its own token only, whatever both streams say in between", () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.constantFrom("stdout", "stderr"), foreign), { maxLength: 12 }),
      fc.constantFrom("stream", "group", "on-failure"),
      (writes, mode) => {
        let out = "";
        const output = new GuestOutput(mode, (text) => {
          out += text;
        });
        for (const [stream, text] of writes) output.show(stream, encoder.encode(text));
        output.close(true);
        output.close(true);
        const log = readLog(out);
        expect(log.deaf).toBe(false);
        const allowed = ["stop-commands", "group", "endgroup"];
        expect(log.commands.filter(({ name }) => !allowed.includes(name))).toEqual([]);
      },
    ),
    { numRuns: 500 },
  );
});

test("not even the region's own token, learnt from the log, opens it from within", () => {
  let out = "";
  const log = new GuestLog((text) => {
    out += text;
  });
  log.open(null);
  const token = /^::stop-commands::(.+)$/m.exec(out)?.[1] ?? "";
  expect(token).toMatch(/^microagent-[0-9a-f-]{36}$/);
  log.show(
    "stdout",
    encoder.encode(`::${token}::\n##[${token}]\r::${token}::\r::add-path::/evil\n`),
  );
  expect(out.split("\n").filter((line) => line === `::${token}::`)).toEqual([]);
  log.close(null);
  expect(readLog(out).commands.map(({ name }) => name)).toEqual(["stop-commands"]);
  expect(readLog(out).deaf).toBe(false);
});

test("colours stay, every other sequence goes and takes nothing else along", () => {
  expect(neutralLine(`${esc}[1;31mred${esc}[0m`)).toBe(`${esc}[1;31mred${esc}[0m`);
  expect(neutralLine(`${esc}]0;title\u0007hello`)).toBe("hello");
  expect(neutralLine(`${esc}]8;;http://x${esc}\\link${esc}]8;;${esc}\\`)).toBe("link");
  expect(neutralLine(`a${esc}[2Jb${esc}[1;1Hc`)).toBe("abc");
  expect(neutralLine("a\u0008b\u0000c\td")).toBe("a\ufffdb\ufffdc\td");
  expect(neutralLine(`#${esc}[2J#[add-path]x`)).toBe("## [add-path]x");
  expect(neutralLine(`${esc}[0m::add-path::x`)).toBe(`${esc}[0m: :add-path::x`);
});

test("lines end as the runner ends them, and text comes out as it went in", () => {
  const cutter = new LineCutter();
  const push = (text: string) => cutter.push(encoder.encode(text));
  expect(push("a\nb\r\nc\rd\r")).toEqual(["a", "b", "c"]);
  expect(push("\ne")).toEqual(["d"]);
  expect(cutter.end()).toEqual(["e"]);
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), fc.array(fc.nat(5)), (text, sizes) => {
      const each = new LineCutter();
      const given = text.replaceAll("\ufeff", "");
      const bytes = encoder.encode(given);
      const lines = [...cut(bytes, sizes).flatMap((chunk) => each.push(chunk)), ...each.end()];
      const wanted = given.split(/\r\n|\n|\r/);
      if (wanted.at(-1) === "") wanted.pop();
      expect(lines).toEqual(wanted);
    }),
  );
});

test("a line of a mebibyte without an end is shown in pieces, each of them harmless", () => {
  const line = "::add-path::/evil##[set-env name=A]".repeat(30_000);
  const cutter = new LineCutter();
  const lines: string[] = [];
  for (const chunk of cut(encoder.encode(line), Array(100).fill(10_000))) {
    lines.push(...cutter.push(chunk));
  }
  lines.push(...cutter.end());
  expect(lines.join("")).toBe(line);
  expect(Math.max(...lines.map(({ length }) => length))).toBeLessThanOrEqual(16 * 1024);
  expect(readLog(lines.map((each) => `${neutralLine(each)}\n`).join("")).commands).toEqual([]);
});

test("what is held back until a failure is bounded, its end is what stays", () => {
  let out = "";
  const output = new GuestOutput("on-failure", (text) => {
    out += text;
  });
  const mebibyte = new Uint8Array(1024 * 1024).fill("a".charCodeAt(0));
  for (let count = 0; count < 10; count += 1) output.show("stdout", mebibyte);
  output.show("stderr", encoder.encode("the end\n"));
  expect(out).toBe("");
  output.close(true);
  expect(out.length).toBeLessThan(5 * 1024 * 1024);
  expect(out).toContain("the end\n");

  out = "";
  const passed = new GuestOutput("on-failure", (text) => {
    out += text;
  });
  passed.show("stdout", mebibyte);
  passed.close(false);
  expect(out).toBe("");
});
