import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { entryFor, helperFor, readAuthFile } from "../../../../src/image/registry/auth-file.ts";
import { authPaths } from "../../../../src/image/registry/credentials.ts";

const base64 = (text: string) => Buffer.from(text).toString("base64");
const password = (username: string, secret: string) => ({
  kind: "password",
  username,
  password: secret,
});

describe("the entry for a repository", () => {
  test.each([
    ["quay.io", "quay.io", "a/b"],
    ["https://quay.io", "quay.io", "a/b"],
    ["https://quay.io/v2/", "quay.io", "a/b"],
    ["https://index.docker.io/v1/", "docker.io", "library/debian"],
    ["docker.io", "docker.io", "library/debian"],
    ["quay.io/a", "quay.io", "a/b"],
    ["quay.io/a/b", "quay.io", "a/b"],
    ["localhost:5000", "localhost:5000", "x"],
  ])("is found under %s", (key, registry, repository) => {
    const file = { auths: { [key]: { auth: base64("ada:x:y") } } };
    expect(entryFor(file, registry, repository)).toEqual(password("ada", "x:y"));
  });

  test.each([
    ["quay.io.evil.example", "quay.io", "a/b"],
    ["quay.io:443", "quay.io", "a/b"],
    ["quay.io/ab", "quay.io", "a/b"],
    ["quay.io/a/b/c", "quay.io", "a/b"],
    ["localhost", "localhost:5000", "x"],
  ])("is not found under %s", (key, registry, repository) => {
    const file = { auths: { [key]: { auth: base64("ada:x") } } };
    expect(entryFor(file, registry, repository)).toBeNull();
  });

  test("is the most special one", () => {
    const file = {
      auths: {
        "quay.io": { auth: base64("a:1") },
        "quay.io/team/app": { auth: base64("c:3") },
        "quay.io/team": { auth: base64("b:2") },
      },
    };
    expect(entryFor(file, "quay.io", "team/app")).toEqual(password("c", "3"));
    expect(entryFor(file, "quay.io", "team/other")).toEqual(password("b", "2"));
    expect(entryFor(file, "quay.io", "x")).toEqual(password("a", "1"));
  });

  test("may be a token, and an empty one does not count", () => {
    const one = (entry: object) => entryFor({ auths: { q: entry } }, "q", "x");
    expect(one({ identitytoken: "t" })).toEqual({ kind: "identity-token", token: "t" });
    expect(one({ registrytoken: "t" })).toEqual({ kind: "registry-token", token: "t" });
    expect(one({ username: "u", password: "p" })).toEqual(password("u", "p"));
    expect(one({})).toBeNull();
    expect(one({ auth: base64("nocolon") })).toBeNull();
  });
});

test("a helper is the registry's own or the general one", () => {
  const file = { credsStore: "general", credHelpers: { "https://gcr.io": "gcloud" } };
  expect(helperFor(file, "gcr.io")).toBe("gcloud");
  expect(helperFor(file, "quay.io")).toBe("general");
  expect(helperFor({}, "quay.io")).toBeNull();
});

test("files are asked in order: REGISTRY_AUTH_FILE or ours, then Docker's", () => {
  const env = (values: Record<string, string>) => ({
    homeDir: "/home/ada",
    env: (name: string) => values[name],
  });
  expect(authPaths("/own/auth.json", env({}))).toEqual([
    "/own/auth.json",
    "/home/ada/.docker/config.json",
  ]);
  expect(
    authPaths("/own/auth.json", env({ REGISTRY_AUTH_FILE: "/r", DOCKER_CONFIG: "/d" })),
  ).toEqual(["/r", "/d/config.json"]);
});

describe("a credentials file", () => {
  let dir: string;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), "microagent-auth-"));
  });
  afterEach(() => rm(dir, { recursive: true, force: true }));

  test("may be absent", async () => {
    expect(await readAuthFile(join(dir, "none"))).toBeNull();
  });

  test.each(["{", "[]", '{"auths":{"x":{"auth":1}},"secret":"hunter2"}'])(
    "that is broken is refused without quoting it: %s",
    async (text) => {
      const path = join(dir, "config.json");
      await writeFile(path, text);
      const thrown = await readAuthFile(path).catch((error: unknown) => error);
      expect(thrown).toMatchObject({ code: "invalid_argument" });
      expect(thrown).not.toHaveProperty("cause");
      expect(String(thrown)).not.toContain("hunter2");
    },
  );
});
