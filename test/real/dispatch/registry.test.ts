import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runCli } from "../../fixtures/cli.ts";
import {
  htpasswdPassword,
  htpasswdUser,
  startRegistry,
  type TestRegistry,
} from "../../fixtures/registry.ts";
import { openWorkbench, type Workbench } from "../../fixtures/workbench.ts";

let bench: Workbench;
let registry: TestRegistry;
beforeAll(async () => {
  bench = await openWorkbench();
  registry = await startRegistry({ auth: "htpasswd" });
  await registry.push(bench.image, "lab/busybox:1");
});
afterAll(async () => {
  await registry.close();
  await bench[Symbol.asyncDispose]();
});

test("an image pulled from a registry with credentials boots and runs its own command", async () => {
  const docker = join(bench.dir, "docker");
  await mkdir(docker);
  const auth = Buffer.from(`${htpasswdUser}:${htpasswdPassword}`).toString("base64");
  await writeFile(
    join(docker, "config.json"),
    JSON.stringify({ auths: { [registry.host]: { auth } } }),
  );
  const env = { MICROAGENT_STATE_DIR: bench.stateDir, DOCKER_CONFIG: docker };
  const ref = `${registry.host}/lab/busybox:1`;

  const run = await runCli(["--json", "run", ref], { env });
  expect(run.code).toBe(0);
  const result = JSON.parse(run.stdout);
  expect(result.result.stdout).toBe("image\n");
  expect(result.image.resolved_ref).toMatch(/\/lab\/busybox@sha256:[0-9a-f]{64}$/);

  const listed = JSON.parse((await runCli(["--json", "image", "list"], { env })).stdout);
  expect(listed.images[0]).toMatchObject({ image_ref: ref, digest: result.image.digest });
});

test("without credentials the registry's refusal is one sentence and nothing is left", async () => {
  const env = {
    MICROAGENT_STATE_DIR: join(bench.dir, "empty"),
    DOCKER_CONFIG: join(bench.dir, "none"),
  };
  const run = await runCli(["--json", "run", `${registry.host}/lab/busybox:1`], { env });
  expect(run.code).toBe(1);
  expect(JSON.parse(run.stderr).error).toMatchObject({
    code: "image_unauthorized",
    retryable: false,
  });
});

test("an unknown tag and an unreachable registry are told apart, the second is worth a retry", async () => {
  const unknown = await bench.run({ image: `${registry.host}/lab/busybox:2`, exec: "true" });
  expect(unknown.termination).toMatchObject({
    kind: "failed",
    error: { code: expect.stringMatching(/image_(not_found|unauthorized)/) },
  });
  const nobody = await runCli(["--json", "run", "127.0.0.1:9/lab/x:1", "true"], {
    env: { MICROAGENT_STATE_DIR: bench.stateDir },
  });
  expect(nobody.code).toBe(75);
  expect(JSON.parse(nobody.stderr).error).toMatchObject({
    code: "registry_unreachable",
    retryable: true,
  });
});
