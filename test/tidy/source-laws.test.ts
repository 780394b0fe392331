import { expect, test } from "vitest";
import { codeOnly } from "./code-only.ts";
import { bans } from "./globals.ts";
import { importsOf } from "./imports.ts";
import { files, findLines, read, select, shipped, texts } from "./repository.ts";

const typescript = files.filter((path) => path.endsWith(".ts"));

function inCode(paths: readonly string[], pattern: RegExp): string[] {
  return paths.flatMap((path) => findLines(path, codeOnly(read(path)), pattern));
}

function under(path: string, places: readonly string[]): boolean {
  return places.some((place) => path === place || path.startsWith(`${place}/`));
}

test.each(bans)("$what: only where they are allowed", (ban) => {
  const elsewhere = shipped.filter((path) => !under(path, ban.allowed));
  expect(inCode(elsewhere, ban.pattern), `use ${ban.instead}`).toEqual([]);
});

test("child processes are started only by src/host", () => {
  const others = shipped.filter((path) => !under(path, ["src/host"]));
  const found = others.filter((path) =>
    importsOf(path, read(path)).some(({ specifier }) => specifier === "node:child_process"),
  );
  expect(found, "use runTool or spawnChild of src/host").toEqual([]);
});

test("modules have names: no default export", () => {
  const own = typescript.filter((path) => !path.endsWith(".config.ts"));
  expect(inCode(own, /\bexport default\b/)).toEqual([]);
});

test("no enum, no namespace and no any", () => {
  expect(inCode(typescript, /^\s*(export )?(declare )?(const )?(enum|namespace) \w+/)).toEqual([]);
  expect(inCode(typescript, /(:|\bas|<|,|\|)\s*any\b(?!\s*[:(.])/)).toEqual([]);
});

test("nothing re-exports but the doors", () => {
  const doors = ["src/index.ts", "supervisors/memory/index.ts", "vitest-plugin/test.ts"];
  const barrels = shipped.filter((path) => {
    const code = codeOnly(read(path)).replace(/\bexport\b[^;]*\bfrom\b[^;]*;/g, "");
    return !doors.includes(path) && code.trim() === "";
  });
  expect(barrels).toEqual([]);
});

test("no work is left behind as a remark", () => {
  const marks = new RegExp(
    `\\b(${["TO" + "DO", "FIX" + "ME", "X" + "XX", "HA" + "CK"].join("|")})\\b`,
  );
  const found = texts.flatMap((path) => findLines(path, read(path), marks));
  expect(found, "open an issue, or do it").toEqual([]);
});

test("no test is skipped, focused or postponed", () => {
  const tests = select(["test", "supervisors", "src"], [".ts"]);
  const switches = /\b(it|test|describe|suite)(\.\w+)*\.(skip|only|todo|skipIf|runIf|fails)\b/;
  expect(inCode(tests, switches)).toEqual([]);
});

test("a test is left out only by leaveOut, which wants the host's own refusal", () => {
  const others = select(["test"], [".ts"]).filter((path) => path !== "test/support/refused.ts");
  const found = inCode(others, /\.skip\(|\bmeta\.refused\b/);
  expect(found, "use leaveOut of test/support/refused.ts").toEqual([]);
});

test("no path of the machine this was written on", () => {
  // In the guest and in the init of the floor measurement "/root" is a mount point.
  const own = texts.filter((path) => !under(path, ["guest", "bench/floor"]));
  const home = "(?<!/proc/self)/ro" + "ot/";
  const roots = ["/wo" + "rk/(main|shared|steering|\\.library)\\b", "/far" + "m/", home];
  expect(own.flatMap((path) => findLines(path, read(path), new RegExp(roots.join("|"))))).toEqual(
    [],
  );
});

test("no package registry is named: mirrors come from the system's configuration", () => {
  const hosts = [
    ["registry", "npmjs", "org"],
    ["registry", "yarnpkg", "com"],
    ["deb", "debian", "org"],
    ["security", "debian", "org"],
    ["snapshot", "debian", "org"],
    ["archive", "ubuntu", "com"],
    ["proxy", "golang", "org"],
    ["sum", "golang", "org"],
    ["pypi", "org"],
    ["crates", "io"],
  ].map((parts) => parts.join("\\."));
  const pattern = new RegExp(`\\b(${hosts.join("|")})\\b`);
  expect(texts.flatMap((path) => findLines(path, read(path), pattern))).toEqual([]);
});
