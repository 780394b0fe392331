import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Agent } from "../../../src/agent/agent.ts";
import { type Clock, type Op, type Progress, realClock, withOp } from "../../../src/base/op.ts";
import { readSecretAudit } from "../../../src/workspace/secret-audit.ts";
import { prepareSecrets, type SecretsDeclared } from "../../../src/workspace/secret-delivery.ts";
import { startMemoryGuest } from "../../../supervisors/memory/guest.ts";
import { outputOf, plainConfiguration } from "../../support/in-guest.ts";

const value = "swordfish-0123";
const env: Record<string, string> = { KEY: value, OTHER: "other value" };
const environment = { env: (name: string) => env[name] };
const nothing: SecretsDeclared = { files: [], onDemand: [], envFiles: [], audit: false };

let dir: string;
let progress: Progress[];
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "microagent-delivery-"));
  progress = [];
});
afterEach(async () => {
  await rm(dir, { recursive: true, force: true });
});

const prepare = (declared: Partial<SecretsDeclared>, clock: Clock = realClock) =>
  withOp("t", { timeoutMs: 20_000, clock, onProgress: (event) => progress.push(event) }, (op) =>
    prepareSecrets(op, { ...nothing, ...declared }, { environment }),
  );

/** A configured in-memory guest with the secrets delivered; `ask` is what a workload's socket would do. */
async function inGuest<T>(
  declared: Partial<SecretsDeclared>,
  work: (guest: {
    readonly files: ReturnType<typeof startMemoryGuest>["files"];
    readonly prepared: NonNullable<Awaited<ReturnType<typeof prepareSecrets>>>;
    ask(...names: string[]): Promise<string[]>;
  }) => Promise<T>,
  clock: Clock = realClock,
): Promise<T> {
  const prepared = await prepare(declared, clock);
  if (prepared === null) throw new Error("nothing prepared");
  const guest = startMemoryGuest({
    programs: {
      ask: async (run) => {
        for (const name of run.argv.slice(1)) {
          const answer = await run.call({ op: "secret", name });
          const said = answer.ok
            ? Buffer.from(String(answer.fields.value), "base64").toString()
            : `${answer.code}: ${answer.message}`;
          await run.stdout(`${said}\n`);
        }
        return 0;
      },
    },
  });
  return await withOp("t", { timeoutMs: 20_000, clock }, async (op: Op) => {
    const agent = await Agent.connect(op, guest.hostLink, { calls: prepared.calls });
    try {
      await agent.configure(op, plainConfiguration);
      await prepared.deliver(op, { agent, user: "1000:1000", directory: dir });
      const ask = async (...names: string[]) =>
        (await outputOf(op, agent, "ask", ...names)).trimEnd().split("\n");
      return await work({ files: guest.files, prepared, ask });
    } finally {
      agent.close();
      guest.crash();
      await prepared.close();
    }
  });
}

test("nothing declared is nothing to do", async () => {
  expect(await prepare({})).toBeNull();
  expect(await prepare({ audit: true })).toBeNull();
  expect(progress.filter(({ kind }) => kind === "warning")).toEqual([]);
});

test("files belong to the workload's user, mode 0400, below a directory of 0700", async () => {
  const envFile = join(dir, "a.env");
  await writeFile(envFile, "FROM_FILE='in a file'\nEMPTY=\n");
  await inGuest({ files: ["TOKEN=env:KEY"], envFiles: [envFile] }, async ({ files, prepared }) => {
    expect(files.get("/run/secrets")?.mode).toBe(0o700);
    const node = files.get("/run/secrets/TOKEN");
    expect(node).toMatchObject({ mode: 0o400, uid: 1000, gid: 1000 });
    expect(node?.data.toString()).toBe(value);
    expect(files.read("/run/secrets/FROM_FILE")?.toString()).toBe("in a file");
    expect(files.names("/run/secrets")).toEqual(["FROM_FILE", "TOKEN"]);
    expect(prepared.env).toEqual({});
    expect(prepared.services).toBeNull();
    expect(prepared.redactions.apply(`a ${value} b`)).toBe("a *** b");
    expect(inspect(prepared, { depth: 9, showHidden: true })).not.toContain(value);
    expect(JSON.stringify(prepared)).not.toContain(value);
  });
});

test("the user is warned once that the guest has the value, and once of plaintext", async () => {
  await prepare({ files: ["A=env:KEY", "B=env:OTHER"], onDemand: ["C=env:KEY"] });
  const warnings = progress.flatMap((event) => (event.kind === "warning" ? [event.text] : []));
  expect(warnings).toEqual([
    "The guest gets the real value of C, A, B; --cred-swap keeps the key of an API out of it",
    'The host has A, B, C in plaintext ("env"): not encrypted at rest, not for production',
  ]);
});

test.each([
  [{ files: ["A=env:NONE"] }, "secret_not_found", /^Secret "A" of --secret gives nothing: /],
  [{ onDemand: ["A=env:NONE"] }, "secret_not_found", /^Secret "A" of --secret-on-demand gives/],
  [{ onDemand: ["A=vault:s/data/a#b"] }, "secret_denied", /VAULT_ADDR/],
  [{ onDemand: ["A=helper:x"] }, "secret_denied", /MICROAGENT_SECRET_HELPER/],
  [{ envFiles: ["/none.env"] }, "secret_not_found", /^Flag --secrets-env-file gives nothing: /],
  [{ files: ["A=swordfish-0123"] }, "invalid_argument", /"A" is not a reference$/],
  [{ files: ["A=env:KEY"], onDemand: ["A=env:KEY"] }, "invalid_argument", /given twice/],
] as const)("%o is an error before anything starts", async (declared, code, message) => {
  const error = await prepare(declared).catch((reason: unknown) => reason);
  expect(error).toMatchObject({ code, message: expect.stringMatching(message) });
  expect(JSON.stringify(error, Object.getOwnPropertyNames(error))).not.toContain(value);
});

test("on demand: declared names only, each time anew, every access on record without its value", async () => {
  const declared = { files: ["T=env:KEY"], onDemand: ["A=env:OTHER", "B=env:LATER"], audit: true };
  env.LATER = "there at first";
  await inGuest(declared, async ({ ask, files, prepared }) => {
    expect(prepared.env).toEqual({ MICROAGENT_SECRETS_SOCK: "/run/secrets-api.sock" });
    expect(prepared.services).toEqual({ secretsSocket: "/run/secrets-api.sock" });
    expect(files.names("/run/secrets")).toEqual(["T"]);
    expect(await ask("A", "T", "KEY", "../x", "__proto__")).toEqual([
      "other value",
      'denied: Secret "T" was not declared on demand',
      'denied: Secret "KEY" was not declared on demand',
      'denied: Secret "(not a name)" was not declared on demand',
      'denied: Secret "__proto__" was not declared on demand',
    ]);
    env.OTHER = "rotated";
    expect(await ask("A")).toEqual(["rotated"]);
    delete env.LATER;
    expect(await ask("B")).toEqual(["failed: The host could not do what was asked"]);
    expect(prepared.redactions.apply("other value, rotated")).toBe("***, ***");
    expect(prepared.report).toEqual({
      materialized: ["T"],
      onDemand: ["A", "B"],
      accesses: { ok: 3, denied: 4, error: 1, limited: 0 },
    });
  });
  env.OTHER = "other value";

  const log = await readFile(join(dir, "secrets-access.jsonl"), "utf8");
  expect(log).not.toMatch(/swordfish|other value|rotated/);
  expect((await stat(join(dir, "secrets-access.jsonl"))).mode & 0o777).toBe(0o600);
  const report = await readSecretAudit(dir);
  expect(report?.problem).toBeNull();
  expect(report?.accesses.map(({ name, access, result }) => `${access} ${name} ${result}`)).toEqual(
    [
      "materialize T ok",
      "on-demand A ok",
      "on-demand T denied",
      "on-demand KEY denied",
      "on-demand (not a name) denied",
      "on-demand __proto__ denied",
      "on-demand A ok",
      "on-demand B error",
    ],
  );
  // The host's user is told why, the guest is not.
  expect(progress).toContainEqual(
    expect.objectContaining({
      kind: "warning",
      text: expect.stringContaining('"LATER" is not set'),
    }),
  );
});

test("a guest that asks without end is answered so often, and recorded once", async () => {
  let now = 0;
  const clock: Clock = { ...realClock, monotonic: () => now };
  await inGuest(
    { onDemand: ["A=env:KEY"], audit: true },
    async ({ ask, prepared }) => {
      const answers = await ask(...Array.from({ length: 80 }, () => "A"));
      expect(answers.filter((answer) => answer === value).length).toBe(60);
      expect(answers.at(-1)).toBe("denied: Secrets are asked for too often");
      now += 500;
      expect(
        (await ask(...Array.from({ length: 6 }, () => "A"))).filter((a) => a === value),
      ).toHaveLength(5);
      expect(prepared.report.accesses).toMatchObject({ ok: 65, limited: 2 });
    },
    clock,
  );
});

test("a log that was cut or changed is told from a whole one", async () => {
  expect(await readSecretAudit(dir)).toBeNull();
  const line =
    '{"at":"2026-01-01T00:00:00.000Z","name":"A","access":"materialize","result":"ok"}\n';
  const path = join(dir, "secrets-access.jsonl");
  await writeFile(path, `${line}nonsense\n${line}`);
  expect(await readSecretAudit(dir)).toMatchObject({ problem: "Line 2 cannot be read" });
  await writeFile(path, `${line}${line.slice(0, 20)}`);
  const cut = await readSecretAudit(dir);
  expect(cut?.accesses).toHaveLength(1);
  expect(cut?.problem).toBe("The last line is cut off");
});
