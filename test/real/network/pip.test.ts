import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { freshName } from "../../../src/base/ids.ts";
import { realClock } from "../../../src/base/op.ts";
import { WorkspaceAuthority } from "../../../src/egress/tls/authority.ts";
import { stateLayout } from "../../../src/host/state-layout.ts";
import { createEngine } from "../../../src/registry.ts";
import { parseSpec } from "../../../src/spec/load.ts";
import { mergeSpec } from "../../../src/spec/merge.ts";
import { runPlanOnce } from "../../../src/workspace/run-plan.ts";
import { type PackageIndex, startPackageIndex } from "../../fixtures/package-index.ts";

let dir: string;
let index: PackageIndex;
let root: string;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "microagent-pip-"));
  const world = new WorkspaceAuthority(["index.test"], realClock);
  root = world.certificatePem;
  index = await startPackageIndex(dir, world.contextFor("index.test"));
});
afterAll(async () => {
  await index?.[Symbol.asyncDispose]();
  await rm(dir, { recursive: true, force: true });
});
let before = 0;
beforeEach(() => {
  before = index.requests.length;
});

/** What a user writes who has an index of his own. */
const agentfile = (egress: string) => `
image: mmdebstrap:bookworm?include=python3-pip
resources: {memoryMiB: 512}
env: {PIP_CERT: /root.pem, PIP_INDEX_URL: https://index.test/simple, PIP_DISABLE_PIP_VERSION_CHECK: "1"}
setup:
  - ${JSON.stringify(`printf %s '${root}' > /root.pem`)}
  - pip install --break-system-packages --retries 0 greeting
agent:
  entry: python3 -c "import greeting; print(greeting.TEXT)"
${egress}
`;

async function run(egress: string) {
  const file = parseSpec(agentfile(egress), join(dir, "microagent.yaml"), dir);
  // The user's own state directory: the image is large, and made once.
  const engine = createEngine(stateLayout());
  const flags = {
    name: freshName("pip"),
    egressHost: [`index.test=127.0.0.1:${index.port}`],
    noTemplate: true,
    outputDir: join(dir, freshName("out")),
  };
  return await runPlanOnce(engine, mergeSpec({ flags, file, surface: "dispatch", cwd: dir }), {});
}

test("under guarded, pip installs a wheel from an index over TLS", async () => {
  const result = await run("  egress: guarded");
  expect(result.termination, result.stderr.text()).toEqual({ kind: "exited", exitCode: 0 });
  expect(result.stdout.text()).toContain("installed from an index");
  expect(index.requests.slice(before)).toEqual([
    "GET index.test /simple/greeting/",
    "GET index.test /files/greeting-1.0-py3-none-any.whl",
  ]);
  expect(Object.keys(result.audit?.allow_by_host ?? {})).toEqual(["index.test"]);
  expect(result.audit?.integrity).toBe("complete");
});

test("under strict, pip is refused until its index is listed", async () => {
  const refused = await run("  egress: strict\n  allow: [other.test]");
  expect(refused.termination).toMatchObject({ kind: "setup_failed" });
  expect(index.requests.length).toBe(before);
  expect(Object.keys(refused.audit?.deny_by_host ?? {})).toEqual(["index.test"]);

  const listed = await run("  egress: strict\n  allow: [other.test, index.test]");
  expect(listed.termination, listed.stderr.text()).toEqual({ kind: "exited", exitCode: 0 });
  expect(listed.stdout.text()).toContain("installed from an index");
  expect(Object.keys(listed.audit?.deny_by_host ?? {})).toEqual([]);
});
