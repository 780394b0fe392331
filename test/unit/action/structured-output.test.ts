import { mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { structuredOutput } from "../../../action/structured-output.ts";
import { nothingCollected } from "../../../src/workspace/outputs.ts";
import { resultOf } from "./sample-result.ts";
import { temporary } from "./temporary.ts";

const path = "/out/answer.json";

/** A run that left this text, or this link, as the file. */
async function left(text: string | { readonly linkTo: string }) {
  await using held = await temporary();
  await mkdir(join(held.dir, "structured-output"));
  const file = join(held.dir, "structured-output", "answer.json");
  if (typeof text === "string") await writeFile(file, text);
  else await symlink(text.linkTo, file);
  const result = resultOf({
    outputs: {
      ...nothingCollected,
      artifacts: [
        {
          output: "structured-output",
          guestPath: path,
          path: "structured-output/answer.json",
          sizeBytes: 1,
          sha256: "0",
          mode: 0o644,
        },
      ],
    },
  });
  return await structuredOutput(path, result, held.dir);
}

test("JSON comes out whole, on one line, whatever is in its texts", async () => {
  const value = { a: "line\none ::set-output::", b: [1, null], "\u001b": "\r" };
  const { text, problem } = await left(JSON.stringify(value, null, 2));
  expect(problem).toBe(null);
  for (const control of ["\r", "\n", "\u001b"]) expect(text).not.toContain(control);
  expect(JSON.parse(text)).toEqual(value);
});

test.each([
  ["no JSON", "{a: 1}", "is no JSON"],
  ["nothing", "", "is no JSON"],
  ["more than fits", JSON.stringify("x".repeat(70_000)), "at most 65536"],
  ["a link", { linkTo: "/etc/passwd" }, "wanted a file"],
])("%s is told", async (_what, text, why) => {
  const { problem } = await left(text);
  expect(problem).toContain(why);
});

test("a file that was not asked for, or did not come out, is none", async () => {
  expect(await structuredOutput(null, resultOf(), "/x")).toEqual({ text: "", problem: null });
  expect(await structuredOutput(path, resultOf(), "/x")).toEqual({ text: "", problem: null });
});
