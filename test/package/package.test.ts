import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { makeStranger, root, type Stranger } from "./stranger.ts";

let stranger: Stranger;

beforeAll(async () => {
  stranger = await makeStranger();
}, 300_000);

afterAll(async () => {
  // Not there when making it failed, which is the failure to be read then.
  await (stranger as Stranger | undefined)?.[Symbol.asyncDispose]();
});

const tool = (path: string) => join(root, "node_modules", path);

test("the tarball holds what a run needs, and nothing of the workshop", () => {
  const { packed } = stranger;
  const needed = [
    "package.json",
    "README.md",
    "LICENSE",
    "CHANGELOG.md",
    "dist/src/cli/main.js",
    "dist/src/index.d.ts",
    "guest/bin/microagent-agent-linux-amd64",
    "guest/bin/microagent-agent-linux-arm64",
    "guest/bin/microagent-network-linux-amd64",
    "guest/bin/microagent-network-linux-arm64",
    "schema/microagent.schema.json",
    "examples/quickstart/microagent.yaml",
  ];
  expect(needed.filter((path) => !packed.includes(path))).toEqual([]);
  const workshop =
    /^(test|src|supervisors|vitest-plugin|scripts|bench|node_modules|\.)|^(?!examples\/).*(?<!\.d)\.ts$|tsbuildinfo|\.(map|sources|sha256)$/;
  expect(packed.filter((path) => workshop.test(path))).toEqual([]);
});

test("the installed command shows its help and its version", async () => {
  const bin = join(stranger.dir, "node_modules", ".bin", "microagent");
  expect((await stranger.run(bin, ["--help"])).stdout).toContain("dispatch");
  const manifest = JSON.parse(await readFile(join(root, "package.json"), "utf8"));
  expect((await stranger.run(bin, ["--version"])).stdout.trim()).toBe(manifest.version);
});

test("the installed command reads an example it brought along", async () => {
  const bin = join(stranger.dir, "node_modules", ".bin", "microagent");
  const example = join(
    stranger.dir,
    "node_modules/microagent-ci/examples/quickstart/microagent.yaml",
  );
  const { stdout } = await stranger.run(bin, ["dispatch", "--file", example, "--dry-run"]);
  expect(JSON.parse(stdout)).toBeTypeOf("object");
});

test("every door opens", async () => {
  // The test half opens inside of Vitest only.
  const doors = [
    "microagent-ci",
    "microagent-ci/supervisor",
    "microagent-ci/testing",
    "microagent-ci/vitest",
  ];
  const program = `const names = {};
    for (const door of ${JSON.stringify(doors)}) names[door] = Object.keys(await import(door));
    console.log(JSON.stringify(names));`;
  const { stdout } = await stranger.run(process.execPath, ["--input-type=module", "-e", program]);
  const names = JSON.parse(stdout);
  expect(names["microagent-ci"]).toContain("runPlan");
  expect(names["microagent-ci/testing"]).toContain("createMemorySupervisor");
  expect(names["microagent-ci/supervisor"]).toEqual([]);
  expect(names["microagent-ci/vitest"]).toEqual(["microvm", "microvmPool"]);
});

test.each([
  ["nodenext", "nodenext"],
  ["esnext", "bundler"],
])("a consumer compiles with module %s and resolution %s", async (module, resolution) => {
  const settings = ["--module", module, "--moduleResolution", resolution];
  const compiled = stranger
    .run(process.execPath, [tool("typescript/bin/tsc"), "-p", "tsconfig.json", ...settings])
    .catch((error: { stdout: string }) => error);
  expect((await compiled).stdout).toBe("");
});

test("publint has nothing to say", async () => {
  const { stdout } = await stranger.run(tool(".bin/publint"), [
    "run",
    "--strict",
    stranger.tarball,
  ]);
  expect(stdout).toContain("All good!");
});

test("the types are not wrong", async () => {
  // The format by name: attw chooses another one where CI is set.
  const format = ["--format", "ascii", "--no-emoji", "--no-definitely-typed"];
  const args = [stranger.tarball, "--profile", "esm-only", ...format];
  const { stdout } = await stranger.run(tool(".bin/attw"), args);
  expect(stdout).toContain("node16 (from ESM): OK");
});
