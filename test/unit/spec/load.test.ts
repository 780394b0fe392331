import { execFileSync } from "node:child_process";
import { mkdtemp, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { isMicroagentError, type MicroagentError } from "../../../src/base/errors.ts";
import { withOp } from "../../../src/base/op.ts";
import { type LoadedSpec, loadSpec } from "../../../src/spec/load.ts";

let base: string;
let path: string;

beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), "microagent-load-"));
  path = join(base, "agent.yaml");
});

afterEach(async () => {
  await rm(base, { recursive: true, force: true });
});

const load = (file: string): Promise<LoadedSpec> => withOp("test", {}, (op) => loadSpec(op, file));

async function failure(file: string): Promise<MicroagentError> {
  try {
    await load(file);
  } catch (error) {
    if (isMicroagentError(error)) return error;
    throw error;
  }
  throw new TypeError("Nothing failed");
}

test("a file is read, and relative paths start at its directory", async () => {
  await writeFile(path, "\ufeffname: a\n");
  const loaded = await load(path);
  expect(loaded.spec).toEqual({ name: "a" });
  expect(loaded.baseDir).toBe(base);
  expect(loaded.source.place(["name"])).toEqual({ line: 1, column: 1 });
});

test("what is no file is not found", async () => {
  expect(await failure(join(base, "none.yaml"))).toMatchObject({
    code: "spec_not_found",
    hint: expect.stringContaining("has no spec file"),
  });
  expect((await failure(base)).message).toContain("is a directory: wanted a spec file");
  execFileSync("mkfifo", [join(base, "pipe")]);
  expect((await failure(join(base, "pipe"))).message).toContain("is no regular file");
});

test("a file that is too large is refused unread", async () => {
  await writeFile(path, "");
  await truncate(path, 8 * 1024 ** 3);
  expect(await failure(path)).toMatchObject({ code: "spec_invalid" });
});

test("bytes that are not UTF-8 are shown where they are", async () => {
  await writeFile(
    path,
    Buffer.concat([Buffer.from("name: a\nimage: "), Buffer.from([0xe4]), Buffer.from("b\n")]),
  );
  const error = await failure(path);
  expect(error.code).toBe("spec_invalid");
  expect(error.message).toBe(`${path}:2:8: A byte here is not UTF-8: wanted a text in UTF-8`);
});

test("UTF-16 is called what it is", async () => {
  await writeFile(path, Buffer.from("\ufeffname: a\n", "utf16le"));
  expect((await failure(path)).message).toContain(
    "1:1: The file is encoded as UTF-16: wanted UTF-8",
  );
});
