import { expect, test } from "vitest";
import { exists, read } from "./repository.ts";

interface Promised {
  readonly id: string;
  readonly text: string;
  readonly proof: string;
}

/** Rows of the tables `| number | promise | proof |`. */
const rows: readonly Promised[] = read("SPECIFICATION.md")
  .split("\n")
  .map((line) => /^\| ([A-Z]+\d+) \| (.+) \| (.+) \|$/.exec(line))
  .flatMap((match) =>
    match === null ? [] : [{ id: match[1] ?? "", text: match[2] ?? "", proof: match[3] ?? "" }],
  );

const isProof =
  /^(test\/\S+\.test\.ts|guest\/\S+_test\.go|bench\/\S+|scripts\/\S+\.mjs|\.ci\/run)$/;

test("every promise names a proof that exists, or says pending", () => {
  const wrong = rows.filter(({ proof }) => {
    if (proof === "pending") return false;
    const named = [...proof.matchAll(/`([^`]+)`/g)].map((match) => match[1] ?? "");
    return named.length === 0 || named.some((path) => !isProof.test(path) || !exists(path));
  });
  expect(rows.length).toBeGreaterThan(0);
  expect(wrong).toEqual([]);
});

test("every promise has a number of its own", () => {
  const ids = rows.map(({ id }) => id);
  expect(ids.filter((id, index) => ids.indexOf(id) !== index)).toEqual([]);
});
