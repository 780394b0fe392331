import { execFile } from "node:child_process";
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test, vi } from "vitest";
import { loginToRegistry, registryOf } from "../../../action/registry-login.ts";
import { withOp } from "../../../src/base/op.ts";
import { authPaths, findCredentials } from "../../../src/image/registry/credentials.ts";
import { temporary } from "./temporary.ts";

const token = "ghs_0123456789abcdef";

test.each([
  ["https://github.com", "ghcr.io"],
  ["https://corp.ghe.com", "containers.corp.ghe.com"],
  ["", null],
])("the registry of %j", (server, registry) => {
  expect(registryOf(server)).toBe(registry);
});

test("the token answers for GitHub's registry alone, and is in no file", async () => {
  vi.spyOn(process.stdout, "write").mockReturnValue(true);
  await using held = await temporary();
  const before = { ...process.env };
  try {
    delete process.env.REGISTRY_AUTH_FILE;
    await loginToRegistry(token, "https://github.com", join(held.dir, "registry"));
    const found = (registry: string) =>
      withOp("test", {}, (op) =>
        findCredentials(op, authPaths("/nowhere").slice(0, 1), registry, "owner/image"),
      );
    expect(await found("ghcr.io")).toMatchObject({
      credentials: { kind: "password", username: "x-access-token", password: token },
    });
    expect(await found("docker.io")).toBe(null);
    expect(await found("ghcr.io.evil.example")).toBe(null);
    const entries = await readdir(held.dir, { recursive: true, withFileTypes: true });
    for (const entry of entries.filter((each) => each.isFile())) {
      const path = join(entry.parentPath, entry.name);
      expect(await readFile(path, "utf8"), path).not.toContain(token);
    }
    // Without the variable, as in a later step, it knows nothing.
    const helper = join(held.dir, "registry", "bin", "docker-credential-microagent-github");
    expect((await stat(helper)).mode & 0o777).toBe(0o700);
    const { stdout } = await promisify(execFile)(helper, ["get"], { env: {} });
    expect(JSON.parse(stdout).Secret).toBe("");
  } finally {
    process.env = before;
    vi.restoreAllMocks();
  }
});

test("a job that says who is who itself is believed", async () => {
  const written: string[] = [];
  vi.spyOn(process.stdout, "write").mockImplementation((text) => {
    written.push(String(text));
    return true;
  });
  try {
    const env = { REGISTRY_AUTH_FILE: "/theirs.json" };
    await loginToRegistry(token, "https://github.com", "/nowhere", env);
    expect(env).toEqual({ REGISTRY_AUTH_FILE: "/theirs.json" });
    expect(written.join("")).toContain("counts for nothing");
  } finally {
    vi.restoreAllMocks();
  }
});
