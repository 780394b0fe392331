import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { type AttachmentRequest, nothingAttached } from "../../src/workspace/attachments.ts";
import type { BootRequest } from "../../src/workspace/boot.ts";
import { type DispatchResult, dispatch } from "../../src/workspace/dispatch.ts";
import type { Engine } from "../../src/workspace/engine.ts";
import type { NetworkRequest } from "../../src/workspace/network-request.ts";
import { listSaved } from "../../src/workspace/templates/store.ts";
import { policyOf } from "../support/egress-policy.ts";
import { memoryEngine, someDispatch } from "./memory-engine.ts";

let dir: string;
let engine: Engine;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "microagent-templates-"));
  let setups = 0;
  ({ engine } = await memoryEngine(dir, {
    guest: {
      programs: {
        sh: ({ argv, files }) => {
          if (argv[2] === "install") files.write("/installed", `${++setups}`);
          return 0;
        },
        show: async ({ files, stdout }) => {
          await stdout(files.read("/installed") ?? "nothing");
          return 0;
        },
      },
    },
  }));
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(dir, { recursive: true, force: true });
});

function withAttached(attached: Partial<AttachmentRequest>): BootRequest {
  return { ...someDispatch(dir).boot, attach: { ...nothingAttached, ...attached } };
}

function networkSwapping(swap: Partial<NetworkRequest["swap"]>): NetworkRequest {
  const ipv4 = { address: "10.0.2.15/24", gateway: "10.0.2.2" };
  return {
    mode: "user",
    guest: { interface: "eth0", mtu: 65520, ipv4, ipv6: null, dns: ["10.0.2.3"] },
    policy: policyOf({}),
    forwards: [],
    swap: { providers: [], configFile: null, caFiles: [], ...swap },
  };
}

async function run(change = {}): Promise<DispatchResult> {
  return await dispatch(
    engine,
    someDispatch(dir, {
      setup: ["install"],
      command: { kind: "argv", argv: ["show"] },
      ...change,
    }),
  );
}

describe("a run", () => {
  test("neither takes nor leaves a template when it has a work channel", async () => {
    const mediation = { port: 7000, target: "127.0.0.1:1", required: false };
    const boot = withAttached({ mediation });
    for (const expected of ["1", "2"]) {
      const result = await run({ boot });
      expect(result.template).toMatchObject({ how: "skipped", key: null });
      expect(result.stdout.text()).toBe(expected);
    }
    expect(await listSaved(engine.layout.templates)).toEqual([]);
  });

  describe("with swapped credentials", () => {
    const swapping = (swap: Partial<NetworkRequest["swap"]>) =>
      run({ boot: withAttached({ network: networkSwapping(swap) }) });

    test("starts from a template only with the same credential", async () => {
      const swap = { providers: ["anthropic=env:TEMPLATE_TEST_KEY"] };
      const keys = ["the key of Ada 1", "the key of Bob 2", "the key of Ada 1", null];
      const results = [];
      for (const key of keys) {
        vi.stubEnv("TEMPLATE_TEST_KEY", key ?? undefined);
        results.push(await swapping(swap));
      }
      expect(results.map((each) => each.stdout.text())).toEqual(["1", "2", "1", "3"]);
      expect(results.map((each) => each.template?.how)).toEqual(["built", "built", "hit", "built"]);
      for (const { template } of results) {
        const path = join(engine.layout.templates, template?.key ?? "", "template.json");
        expect(await readFile(path, "utf8")).not.toMatch(/the key of/);
      }
    });

    test("in a file starts from a template only with the same file", async () => {
      const keyFile = join(dir, "key");
      const swap = { providers: [`anthropic=file:${keyFile}`] };
      const shown: string[] = [];
      for (const key of ["the key of Ada 1", "the key of Bob 2", "the key of Ada 1"]) {
        await writeFile(keyFile, key);
        shown.push((await swapping(swap)).stdout.text());
      }
      expect(shown).toEqual(["1", "2", "1"]);
    });

    test("starts from a template only with the same rules in its file", async () => {
      const configFile = join(dir, "swap.yaml");
      vi.stubEnv("TEMPLATE_TEST_KEY", "the key of Ada 1");
      const shown: string[] = [];
      for (const domain of ["a.test", "b.test", "a.test"]) {
        const own = { type: "static", domains: [domain], key_ref: "env:TEMPLATE_TEST_KEY" };
        await writeFile(configFile, JSON.stringify({ swaps: { own } }));
        shown.push((await swapping({ configFile })).stdout.text());
      }
      expect(shown).toEqual(["1", "2", "1"]);
    });

    test("of a vault neither takes nor leaves one", async () => {
      const result = await swapping({ providers: ["anthropic=vault:secret/data/a#key"] });
      expect(result.template).toMatchObject({ how: "skipped" });
      expect(await listSaved(engine.layout.templates)).toEqual([]);
    });
  });
});
