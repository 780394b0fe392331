import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { isMicroagentError, type MicroagentError } from "../../../src/base/errors.ts";
import { withOp } from "../../../src/base/op.ts";
import { type CapturedInputs, captureFiles } from "../../../src/spec/capture-files.ts";
import type { Flags } from "../../../src/spec/flags.ts";
import { parseSpec } from "../../../src/spec/load.ts";
import { mergeSpec } from "../../../src/spec/merge.ts";

let base: string;

beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), "microagent-capture-"));
});

afterEach(async () => {
  await rm(base, { recursive: true, force: true });
});

function capture(text: string, flags: Flags = {}, options = {}): Promise<CapturedInputs> {
  const file = parseSpec(text, "microagent.yaml", base);
  const plan = mergeSpec({ flags, file, surface: "dispatch", cwd: base });
  return withOp("test", options, (op) => captureFiles(op, plan));
}

async function failure(promise: Promise<unknown>): Promise<MicroagentError> {
  try {
    await promise;
  } catch (error) {
    if (isMicroagentError(error)) return error;
    throw error;
  }
  throw new TypeError("Nothing failed");
}

test("files come with their bytes, digest and mode; links are followed", async () => {
  await writeFile(join(base, "tool"), "#!/bin/sh\n", { mode: 0o755 });
  await symlink("tool", join(base, "link"));
  await writeFile(join(base, "empty"), "");
  const { files } = await capture(
    "files:\n  - {src: tool, dst: /a}\n  - {src: link, dst: /b, mode: '0755'}\n  - {src: empty, dst: /c, mode: '4711'}\n",
  );
  expect(files.map(({ guestPath, mode, bytes }) => [guestPath, mode, bytes.length])).toEqual([
    ["/a", 0o644, 10],
    ["/b", 0o755, 10],
    ["/c", 0o4711, 0],
  ]);
  expect(files[2]?.sha256).toBe("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
});

test("setup files are one command each, in their place", async () => {
  await writeFile(join(base, "two.sh"), "echo two\necho more\n");
  await writeFile(join(base, "three.sh"), "echo three");
  const { setup } = await capture("setup: [echo one, {file: two.sh}]\nsetupFiles: [three.sh]\n");
  expect(setup).toEqual(["echo one", "echo two\necho more\n", "echo three"]);
});

test("what is no readable regular file is refused at its place", async () => {
  await mkdir(join(base, "dir"));
  execFileSync("mkfifo", [join(base, "pipe")]);
  await writeFile(join(base, "blank.sh"), " \n");
  await writeFile(join(base, "binary.sh"), Buffer.from([0xff, 0xfe]));
  await symlink("nowhere", join(base, "dangling"));
  const cases: [string, string][] = [
    ["files: [{src: none, dst: /a}]", "1:15: File "],
    ["files: [{src: dir, dst: /a}]", "is a directory: wanted a regular file"],
    ["files: [{src: pipe, dst: /a}]", "is no regular file: wanted a regular file"],
    ["files: [{src: dangling, dst: /a}]", "does not exist: wanted a regular file"],
    ["files: [{src: /dev/null, dst: /a}]", "is no regular file: wanted a regular file"],
    ["setupFiles: [blank.sh]", "is empty: wanted a shell command"],
    ["setup:\n  - {file: binary.sh}", "2:12: Setup file "],
  ];
  for (const [text, message] of cases) {
    const error = await failure(capture(text));
    expect(error.code).toBe("spec_invalid");
    expect(error.message).toContain(message);
  }
});

test("a file of a flag is refused by the flag's name", async () => {
  const error = await failure(capture("{}", { setupFile: ["none.sh"] }));
  expect(error.code).toBe("invalid_argument");
  expect(error.message).toContain("Flag --setup-file: File ");
});

test("files above the cap are refused before they are read", async () => {
  await writeFile(join(base, "huge"), "");
  await truncate(join(base, "huge"), 600 * 1024 * 1024);
  const error = await failure(capture("files: [{src: huge, dst: /a}]"));
  expect(error.message).toContain("has 629145600 bytes: wanted at most 536870912");
  const script = await failure(capture("setupFiles: [huge]"));
  expect(script.message).toContain("wanted at most 1048576");
});

test("a capture that is cancelled ends as cancelled", async () => {
  await writeFile(join(base, "a"), "a");
  const error = await failure(
    capture("files: [{src: a, dst: /a}]", {}, { signal: AbortSignal.abort() }),
  );
  expect(error.code).toBe("cancelled");
});
