import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { cliPath, runCli, startCli } from "../../fixtures/cli.ts";
import { machinesOf, openWorkbench, type Workbench } from "../../fixtures/workbench.ts";
import { openSmallDisk } from "../../support/small-disk.ts";

const call = promisify(execFile);
let bench: Workbench;
let env: Record<string, string>;
beforeAll(async () => {
  bench = await openWorkbench();
  env = { MICROAGENT_STATE_DIR: bench.stateDir };
  await runCli(["image", "pull", bench.image], { env });
});
afterAll(async () => {
  await bench[Symbol.asyncDispose]();
});

function words(...more: string[]): string[] {
  return [
    ...["--json", "template", "build", "--image", bench.image, "--memory", "256", "--cpus", "1"],
    ...["--setup", "dd if=/dev/urandom of=/big bs=1M count=24"],
    ...more,
  ];
}

test("SIGKILL at random moments of a build leaves nothing that hurts the next one", async () => {
  for (let round = 0; round < 6; round++) {
    const build = startCli(words(), { env });
    const ended = build.code;
    await sleep(300 + Math.random() * 4_000);
    build.child.kill("SIGKILL");
    await ended;
    await expect.poll(() => machinesOf(bench.stateDir)).toEqual([]);
    expect((await runCli(["gc"], { env })).code).toBe(0);
    expect(await readdir(join(bench.stateDir, "runtime")).catch(() => [])).toEqual([]);
    const listed = JSON.parse((await runCli(["--json", "template", "list"], { env })).stdout);
    for (const each of listed.templates) expect(each.image).toBe(bench.image);
  }
  const built = await runCli(words(), { env });
  expect(built.code, built.stderr).toBe(0);
  expect(JSON.parse(built.stdout).key).toMatch(/^[0-9a-f]{64}$/);
});

/** A state directory on a disk too small for what is saved. */
const onSmallDisk = `
cd "$SMALL" || exit 99
for kind in images kernels cache; do ln -s "$STATE/$kind" "$kind"; done
head -c 16m /dev/zero > ballast
export MICROAGENT_STATE_DIR="$SMALL"
"$NODE" "$CLI" --json template build $RUN --setup "$SETUP" 2> "$OUT/build"; echo $? > "$OUT/code"
ls templates runtime > "$OUT/left" 2>/dev/null
"$NODE" "$CLI" --json dispatch $RUN --setup "$SETUP" --exec "echo ran" --output-dir "$OUT/run" > "$OUT/result"
true
`;

test("a disk that fills up while a machine is saved fails a build and not a dispatch", async (context) => {
  const parent = await mkdtemp(join(tmpdir(), "microagent-small-"));
  const small = join(parent, "disk");
  const out = await mkdtemp(join(bench.dir, "out-"));
  try {
    await using disk = await openSmallDisk(context, small, 64);
    const [program = "", ...rest] = [...disk.wrapper, "sh", "-c", onSmallDisk];
    await call(program, rest, {
      env: {
        ...process.env,
        ...{ SMALL: small, STATE: bench.stateDir, OUT: out, NODE: process.execPath, CLI: cliPath },
        RUN: `--image ${bench.image} --memory 256 --cpus 1`,
        SETUP: "dd if=/dev/urandom of=/big bs=1M count=24",
      },
    });
    expect(await readFile(join(out, "code"), "utf8")).not.toBe("0\n");
    const said = (await readFile(join(out, "build"), "utf8")).trim().split("\n");
    expect(JSON.parse(said.at(-1) ?? "").error.code).toBe("no_space");
    expect(await readFile(join(out, "left"), "utf8")).not.toMatch(/[0-9a-f]{8}/);
    const result = JSON.parse(await readFile(join(out, "result"), "utf8"));
    expect(result).toMatchObject({ exit_code: 0, template: { how: "skipped" } });
    expect(result.template.reason).toMatch(/space/);
  } finally {
    await rm(parent, { recursive: true, force: true });
  }
});
