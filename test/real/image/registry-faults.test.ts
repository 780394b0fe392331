import { randomBytes } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { withOp } from "../../../src/base/op.ts";
import { resolveImage } from "../../../src/image/resolve.ts";
import { type Fault, type FaultProxy, startFaultProxy } from "../../fixtures/fault-proxy.ts";
import { hurriedClock, type TempStore, tempStore } from "../../fixtures/image-store.ts";
import { digestOf, makeOciLayout, type OciLayout } from "../../fixtures/oci-layout.ts";
import { startRegistry, type TestRegistry } from "../../fixtures/registry.ts";

let dir: string;
let registry: TestRegistry;
let layout: OciLayout;
let proxy: FaultProxy;
let temp: TempStore;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "microagent-faults-"));
  registry = await startRegistry();
  layout = await makeOciLayout(join(dir, "oci"), {
    layers: [
      { entries: [{ path: "data", content: randomBytes(2_000_000) }] },
      { entries: [{ path: "more" }] },
      { entries: [{ path: "most" }] },
    ],
  });
  await registry.push(layout.reference, "app:1");
});
afterAll(async () => {
  await registry?.close();
  await rm(dir, { recursive: true, force: true });
});
beforeEach(async () => {
  proxy = await startFaultProxy(registry.host);
  temp = await tempStore(hurriedClock(50));
});
afterEach(async () => {
  await temp[Symbol.asyncDispose]();
  await proxy[Symbol.asyncDispose]();
});

const layerPath = () => `/v2/app/blobs/${layout.layerDigests[0]}`;
const layerRanges = () =>
  proxy.seen.filter((one) => one.path === layerPath()).map((one) => one.headers.range ?? "all");

/** The first `times` requests for the layer meet the fault. */
function layerMeets(fault: Fault, times = 1): void {
  proxy.rule = (request, count) => (request.path === layerPath() && count <= times ? fault : null);
}

async function expectWhole(): Promise<void> {
  const image = await temp.resolve(`${proxy.host}/app:1`);
  expect(image.digest).toBe(layout.digest);
  expect(digestOf(await readFile(image.layers[0]?.path ?? ""))).toBe(layout.layerDigests[0]);
}

describe("a transfer goes on", () => {
  test("where the connection broke", async () => {
    layerMeets({ kind: "cut", afterBytes: 1_000_000 });
    await expectWhole();
    const ranges = layerRanges();
    expect(ranges).toHaveLength(2);
    expect(ranges[1]).toMatch(/^bytes=\d+-$/);
    expect(Number(ranges[1]?.match(/\d+/)?.[0])).toBeGreaterThan(0);
  });

  test("after many breaks, as long as each brings something", async () => {
    layerMeets({ kind: "cut", afterBytes: 200_000 }, 8);
    await expectWhole();
    expect(layerRanges()).toHaveLength(9);
  });

  test("after an end that came too early", async () => {
    layerMeets({ kind: "truncate", afterBytes: 1_000_000 });
    await expectWhole();
    expect(layerRanges()).toEqual(["all", "bytes=1000000-"]);
  });

  test("after silence", async () => {
    layerMeets({ kind: "stall", afterBytes: 500_000 });
    await expectWhole();
    expect(layerRanges()).toHaveLength(2);
  });

  test("from the start when a byte was wrong", async () => {
    layerMeets({ kind: "corrupt", atByte: 1_234_567 });
    await expectWhole();
    expect(layerRanges()).toEqual(["all", "all"]);
  });

  test("slowly", async () => {
    layerMeets({ kind: "slow", pieceBytes: 16_384, pauseMs: 2 });
    await expectWhole();
    expect(layerRanges()).toHaveLength(1);
  });

  test("from the start when the registry cannot seek", async () => {
    layerMeets({ kind: "cut", afterBytes: 1_000_000 });
    const cut = proxy.rule;
    proxy.rule = (request, count) => {
      if (request.path === layerPath() && request.headers.range !== undefined) {
        // As a registry that ignores ranges would see it.
        delete request.headers.range;
      }
      return cut(request, count);
    };
    await expectWhole();
    expect(layerRanges()).toEqual(["all", "all"]);
  });

  test("after a hang-up and a server error on the manifest", async () => {
    proxy.rule = (request, count) => {
      if (!request.path.includes("/manifests/")) return null;
      if (count === 1) return { kind: "hangup" };
      return count === 2 ? { kind: "answer", status: 503 } : null;
    };
    await expectWhole();
  });

  test("after a 429, when its time has come", async () => {
    proxy.rule = (request, count) =>
      request.path.includes("/manifests/") && count === 1
        ? { kind: "answer", status: 429, headers: { "retry-after": "2" } }
        : null;
    await expectWhole();
    const notes = temp.events.flatMap((event) => (event.kind === "note" ? [event.text] : []));
    expect(notes.join("\n")).toContain("trying again in 2.0 s");
  });
});

test("a cancelled pull lets go of everything at once, and the next one goes on", async () => {
  const stop = new AbortController();
  layerMeets({ kind: "stall", afterBytes: 500_000 });
  const { store } = temp;
  const locks = () => readdir(store.locksDir).catch(() => []);
  const pulling = withOp("test", { signal: stop.signal }, (op) =>
    resolveImage(op, store, `${proxy.host}/app:1`, {
      arch: "x86_64",
      pull: "missing",
      insecureRegistries: [],
    }),
  );
  const partial = store.partialPath(layout.layerDigests[0] ?? "");
  await expect.poll(() => stat(partial).catch(() => null)).not.toBeNull();
  await expect.poll(async () => (await stat(partial)).size).toBeGreaterThan(100_000);
  stop.abort();
  await expect(pulling).rejects.toMatchObject({ code: "cancelled" });
  await expect.poll(locks).toEqual([]);
  expect(await readdir(join(store.root, "pins"))).toEqual([]);
  await expectWhole();
  expect(layerRanges().at(-1)).toMatch(/^bytes=\d+-$/);
});

describe("a transfer ends in one clear error", () => {
  test.each([
    [500, "registry_failed"],
    [429, "registry_rate_limited"],
    [401, "image_unauthorized"],
    [403, "image_unauthorized"],
    [404, "image_not_found"],
    [418, "registry_failed"],
  ])("when every manifest request is answered with %d", async (status, code) => {
    const body = JSON.stringify({ errors: [{ code: "X", message: "said \u001b[31mwhy" }] });
    proxy.rule = (request) =>
      request.path.includes("/manifests/") ? { kind: "answer", status, body } : null;
    await expect(temp.resolve(`${proxy.host}/app:1`)).rejects.toMatchObject({
      code,
      message: expect.stringContaining("said ?[31mwhy"),
    });
    const tries = proxy.seen.filter((one) => one.path.includes("/manifests/")).length;
    expect(tries).toBe(status === 500 || status === 429 ? 5 : 1);
  });

  test("when it is told to wait for an hour", async () => {
    proxy.rule = (request) =>
      request.path.includes("/manifests/")
        ? { kind: "answer", status: 429, headers: { "retry-after": "3600" } }
        : null;
    await expect(temp.resolve(`${proxy.host}/app:1`)).rejects.toMatchObject({
      code: "registry_rate_limited",
      details: { retryAfterMs: 3_600_000 },
    });
    expect(proxy.seen.filter((one) => one.path.includes("/manifests/"))).toHaveLength(1);
  });

  test("when the layer is always wrong", async () => {
    layerMeets({ kind: "corrupt", atByte: 5 }, 99);
    await expect(temp.resolve(`${proxy.host}/app:1`)).rejects.toMatchObject({
      code: "image_digest_mismatch",
      message: expect.stringContaining(layout.layerDigests[0] ?? ""),
    });
    expect(layerRanges()).toHaveLength(2);
  });

  test("when the layer always ends at once", async () => {
    layerMeets({ kind: "truncate", afterBytes: 0 }, 99);
    await expect(temp.resolve(`${proxy.host}/app:1`)).rejects.toMatchObject({
      code: "image_corrupt",
    });
  });

  test("when the layer is longer than promised", async () => {
    const body = "x".repeat(3_000_000);
    layerMeets({ kind: "answer", status: 200, body }, 99);
    await expect(temp.resolve(`${proxy.host}/app:1`)).rejects.toMatchObject({
      code: "image_digest_mismatch",
    });
  });

  test("when the manifest is another than the pinned one", async () => {
    proxy.rule = (request) =>
      request.path.includes("/manifests/")
        ? { kind: "answer", status: 200, body: '{"schemaVersion":2}' }
        : null;
    await expect(temp.resolve(`${proxy.host}/app@${layout.digest}`)).rejects.toMatchObject({
      code: "image_digest_mismatch",
    });
  });

  test.each([
    ["no JSON", "{", "image_corrupt"],
    ["schema 1", '{"schemaVersion":1,"fsLayers":[]}', "image_unsupported"],
    ["an endless manifest", `{"a":"${"x".repeat(5_000_000)}"}`, "image_unsupported"],
    [
      "a manifest and an index in one",
      '{"schemaVersion":2,"config":{},"manifests":[]}',
      "image_corrupt",
    ],
    [
      "a digest that is a path",
      '{"schemaVersion":2,"config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:../../x","size":1},"layers":[]}',
      "image_corrupt",
    ],
  ])("when the manifest is %s", async (_name, body, code) => {
    proxy.rule = (request) =>
      request.path.includes("/manifests/") ? { kind: "answer", status: 200, body } : null;
    await expect(temp.resolve(`${proxy.host}/app:1`)).rejects.toMatchObject({ code });
  });

  test("when redirects go round", async () => {
    proxy.rule = (request) => ({
      kind: "answer",
      status: 307,
      headers: { location: request.path },
    });
    await expect(temp.resolve(`${proxy.host}/app:1`)).rejects.toMatchObject({
      code: "registry_unreachable",
      message: expect.stringContaining("redirects"),
    });
  });
});

describe("a token server", () => {
  const password = "s3cret";
  let asked: { url: string; authorization: string | undefined }[];
  let realm: string;
  let close: () => Promise<void>;
  let valid: Set<string>;

  beforeEach(async () => {
    asked = [];
    valid = new Set();
    const server = createServer((request, response) => {
      const { authorization } = request.headers;
      asked.push({ url: request.url ?? "", authorization });
      const right = `Basic ${Buffer.from(`ada:${password}`).toString("base64")}`;
      if (authorization !== undefined && authorization !== right) {
        response.writeHead(401).end();
        return;
      }
      const token = `t${asked.length}`;
      valid.add(`Bearer ${token}`);
      response.end(JSON.stringify({ access_token: token, expires_in: 60 }));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    realm = `http://127.0.0.1:${(server.address() as AddressInfo).port}/token`;
    close = async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    };
    proxy.rule = (request) => guard(request.headers.authorization);
    vi.stubEnv("DOCKER_CONFIG", temp.dir);
  });
  afterEach(async () => {
    vi.unstubAllEnvs();
    await close();
  });

  const guard = (authorization: string | undefined): Fault | null =>
    valid.has(authorization ?? "")
      ? null
      : {
          kind: "answer",
          status: 401,
          headers: {
            "www-authenticate": `Bearer realm="${realm}",service="test",scope="repository:app:pull"`,
          },
        };

  test("is asked once for an anonymous token", async () => {
    await expectWhole();
    expect(asked.map((one) => one.authorization)).toEqual([undefined]);
    expect(asked[0]?.url).toBe("/token?scope=repository%3Aapp%3Apull&service=test");
  });

  test("gets the credentials, and a wrong password is told", async () => {
    const auth = Buffer.from(`ada:${password}`).toString("base64");
    const path = join(temp.dir, "config.json");
    await writeFile(path, JSON.stringify({ auths: { [proxy.host]: { auth } } }));
    await expectWhole();
    expect(asked[0]?.authorization).toBe(`Basic ${auth}`);
    const wrong = Buffer.from("ada:wrong").toString("base64");
    await writeFile(path, JSON.stringify({ auths: { [proxy.host]: { auth: wrong } } }));
    await expect(temp.resolve(`${proxy.host}/app:1`, { pull: "always" })).rejects.toMatchObject({
      code: "image_unauthorized",
      message: expect.stringContaining(path),
    });
  });

  test("is asked again when the token ended meanwhile", async () => {
    proxy.rule = (request, count) => {
      if (request.path === layerPath() && count === 1) valid.clear();
      return guard(request.headers.authorization);
    };
    await expectWhole();
    expect(asked).toHaveLength(2);
  });

  test("is asked once more when several layers find the token ended", async () => {
    const layers = new Set(layout.layerDigests.map((digest) => `/v2/app/blobs/${digest}`));
    let ended = false;
    proxy.rule = (request) => {
      if (layers.has(request.path) && !ended) {
        ended = true;
        valid.clear();
      }
      return guard(request.headers.authorization);
    };
    await expectWhole();
    expect(asked).toHaveLength(2);
  });

  test("whose tokens nobody accepts ends the pull", async () => {
    valid.add = () => valid;
    await expect(temp.resolve(`${proxy.host}/app:1`)).rejects.toMatchObject({
      code: "image_unauthorized",
    });
    expect(asked).toHaveLength(2);
  });

  test("does not lead to credentials at another host", async () => {
    await using storage = await startFaultProxy(registry.host);
    proxy.rule = (request) =>
      guard(request.headers.authorization) ??
      (request.path.includes("/blobs/")
        ? {
            kind: "answer",
            status: 307,
            headers: { location: `http://${storage.host}${request.path}` },
          }
        : null);
    await expectWhole();
    expect(storage.seen.length).toBeGreaterThan(0);
    expect(storage.seen.map((one) => one.headers.authorization)).toEqual(
      storage.seen.map(() => undefined),
    );
  });
});
