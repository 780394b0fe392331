import { readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { resultJson } from "../../../src/workspace/result-json.ts";
import { readSecretAudit } from "../../../src/workspace/secret-audit.ts";
import { makeBusyboxImage } from "../../fixtures/busybox-image.ts";
import { machinesOf, openWorkbench, survivors, type Workbench } from "../../fixtures/workbench.ts";

const value = "swordfish-77a1c3e9";
let bench: Workbench;
beforeAll(async () => {
  process.env.MICROAGENT_TEST_SECRET = value;
  bench = await openWorkbench();
  await writeFile(join(bench.dir, "more.env"), "FROM_FILE='in a file 4711'\n");
});
afterAll(async () => {
  delete process.env.MICROAGENT_TEST_SECRET;
  await bench[Symbol.asyncDispose]();
});

const network = { network: "isolated" };
const token = "TOKEN=env:MICROAGENT_TEST_SECRET";

/** Files below a directory that hold a text, read to their ends. */
async function filesWith(dir: string, text: string): Promise<string[]> {
  const found: string[] = [];
  for (const entry of await readdir(dir, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (!entry.isFile()) continue;
    if ((await readFile(path).catch(() => Buffer.alloc(0))).includes(text)) found.push(path);
  }
  return found;
}

test("a secret is a file of the workload's user in memory of its own, and nowhere else", async () => {
  const image = await makeBusyboxImage(join(bench.dir, "ada"), [], { User: "ada" });
  let onHost: Promise<string[]> | null = null;
  const look = async () => {
    const seen = await filesWith(bench.stateDir, value);
    for (const pid of await machinesOf(bench.stateDir)) {
      for (const name of ["cmdline", "environ"]) {
        const text = await readFile(`/proc/${pid}/${name}`, "utf8");
        if (text.includes(value) || text.includes("MICROAGENT_TEST")) seen.push(`${pid}/${name}`);
      }
    }
    return seen;
  };
  let shown = "";
  const result = await bench.run(
    {
      ...network,
      image: image.reference,
      secret: [token],
      secretsEnvFile: ["more.env"],
      secretsAudit: true,
      keep: true,
      outputDir: "out",
      name: "holder",
      setup: ["test -s /run/secrets/TOKEN"],
      exec: [
        "id -un",
        "stat -c '%a %U %n' /run/secrets /run/secrets/*",
        "grep ' /run/secrets ' /proc/mounts",
        "cat /run/secrets/TOKEN; echo; cat /run/secrets/FROM_FILE; echo",
        "touch /run/secrets/x 2>&1; env",
        "sleep 2",
      ].join("; "),
    },
    {
      onOutput: async (_phase, _stream, data) => {
        shown += Buffer.from(data).toString();
        if (shown.includes(value)) onHost ??= look();
      },
    },
  );
  expect(result.termination).toEqual({ kind: "exited", exitCode: 0 });
  expect(shown).toContain("ada\n700 ada /run/secrets\n400 ada /run/secrets/FROM_FILE\n400 ada");
  expect(shown).toMatch(/^tmpfs \/run\/secrets tmpfs \S*nosuid,nodev,noexec/m);
  expect(shown).toContain(`${value}\nin a file 4711\n`);
  // No variable holds it.
  expect(shown.split("PATH=")[1]).not.toContain(value);
  expect(await onHost).toEqual([]);

  // What was printed is kept without it, and the record has names only.
  expect(result.stdout.text()).toContain("***\n***\n");
  expect(JSON.stringify(resultJson(result))).not.toContain(value);
  expect(await filesWith(bench.dir, value)).toEqual([]);
  const kept = join(bench.layout.workspaces, "holder");
  const copy = await readFile(join(bench.dir, "out", "secrets-access.jsonl"), "utf8");
  expect(copy).toBe(await readFile(join(kept, "secrets-access.jsonl"), "utf8"));
  expect((await stat(join(kept, "secrets-access.jsonl"))).mode & 0o777).toBe(0o600);
  expect(
    (await readSecretAudit(kept))?.accesses.map(({ name, result: how }) => `${name} ${how}`),
  ).toEqual(["FROM_FILE ok", "TOKEN ok"]);
});

test("what cannot be resolved starts nothing, and says which flag and why", async () => {
  const failing = await bench.run({
    ...network,
    secret: [token, "DB=env:MICROAGENT_TEST_ABSENT"],
    exec: "echo never",
  });
  expect(failing.termination).toMatchObject({
    kind: "failed",
    error: {
      code: "secret_not_found",
      message: expect.stringMatching(
        /^Secret "DB" of --secret gives nothing: Environment variable/,
      ),
    },
  });
  expect(failing.startedAt).toBeNull();
  expect(await survivors(bench.stateDir)).toEqual([]);
});
