import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runCli } from "../../fixtures/cli.ts";
import { openWorkbench, type Workbench } from "../../fixtures/workbench.ts";

const page = join(import.meta.dirname, "..", "..", "..", "docs", "json.md");

let bench: Workbench;
const promised = new Map<string, readonly string[]>();

beforeAll(async () => {
  bench = await openWorkbench();
  const text = await readFile(page, "utf8");
  for (const [, commands = "", keys = ""] of text.matchAll(/^\| (`.*`) \| (`.*`) \|$/gm)) {
    for (const command of wordsOf(commands)) promised.set(command, wordsOf(keys));
  }
});
afterAll(async () => {
  await cli("delete", "one", "two", "--force");
  await bench[Symbol.asyncDispose]();
});

function wordsOf(cell: string): readonly string[] {
  return [...cell.matchAll(/`([^`]+)`/g)].map(([, word]) => word ?? "");
}

function cli(...words: readonly string[]) {
  const env = { MICROAGENT_STATE_DIR: bench.stateDir };
  return runCli(["--json", ...words], { env, cwd: bench.stateDir });
}

/** In this order: each finds what the ones before it have left. */
function commandLines(): readonly (readonly [command: string, ...words: readonly string[]])[] {
  const machine = ["--image", bench.image, "--memory", "128", "--size-mib", "64"];
  const small = [...machine, "--network", "isolated"];
  return [
    ["run", "run", ...small, "--exec", "true"],
    ["dispatch", "dispatch", ...small, "--exec", "true"],
    ["create", "create", "one", ...small],
    ["start", "start", "one"],
    ["status", "status", "one"],
    ["inspect", "inspect", "one"],
    ["exec", "exec", "one", "--", "true"],
    ["connect --send", "connect", "one", "--send", "true"],
    ["cp", "cp", "here.txt", "one:/there.txt"],
    ["stats", "stats", "one"],
    ["logs", "logs", "one"],
    ["events", "events", "one"],
    ["network", "network", "one"],
    ["egress", "egress", "one"],
    ["ps", "ps"],
    ["pause", "pause", "one"],
    ["resume", "resume", "one"],
    ["snapshot create", "snapshot", "create", "one", "--tag", "here"],
    ["snapshot list", "snapshot", "list", "one"],
    ["snapshot delete", "snapshot", "delete", "one", "--tag", "here"],
    ["stop", "stop", "one"],
    ["clone", "clone", "one", "two"],
    ["start", "start", "two"],
    ["kill", "kill", "two", "--reason", "it has done its work"],
    ["wait", "wait", "two"],
    ["delete", "delete", "one", "two"],
    ["create", "create", "one", ...small, "--exec", "true", "--start"],
    ["wait", "wait", "one"],
    ["result", "result", "one"],
    ["artifact", "artifact", "one"],
    ["image list", "image", "list"],
    ["image tag", "image", "tag", bench.image, "local/again:1"],
    ["image rm", "image", "rm", "local/again:1"],
    ["image prune", "image", "prune"],
    ["kernel list", "kernel", "list"],
    ["kernel verify", "kernel", "verify"],
    ["template list", "template", "list"],
    ["template prune", "template", "prune"],
    ["doctor", "doctor"],
    ["spec validate", "spec", "validate", "spec.yaml"],
    ["gc", "gc"],
    ["profiles", "profiles"],
    ["version", "version"],
  ];
}

test("every command prints one document with the keys that docs/json.md promises", async () => {
  await writeFile(join(bench.stateDir, "here.txt"), "here");
  await writeFile(join(bench.stateDir, "spec.yaml"), "name: one\n");
  const lines = commandLines();
  expect([...promised.keys()].sort()).toEqual([...new Set(lines.map(([name]) => name))].sort());
  for (const [name, ...words] of lines) {
    const { stdout, stderr, code } = await cli(...words);
    expect({ name, stderr, code }).toEqual({ name, stderr: "", code: 0 });
    const keys = Object.keys(JSON.parse(stdout) as object);
    expect({ name, keys }).toEqual({ name, keys: promised.get(name) });
  }
});

test("what fails prints one line of JSON on standard error, and nothing else", async () => {
  const { stdout, stderr, code } = await cli("status", "nobody");
  expect({ stdout, code }).toEqual({ stdout: "", code: 1 });
  expect(JSON.parse(stderr)).toMatchObject({
    ok: false,
    error: { code: "workspace_not_found", kind: "not_found", retryable: false },
  });
  expect(stderr.trimEnd()).not.toContain("\n");
});
