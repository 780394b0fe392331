import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import {
  drip,
  type HostileServer,
  imageManifest,
  startHostileRegistry,
  startHostileServer,
} from "../../../fixtures/hostile-registry.ts";
import { type TempStore, tempStore } from "../../../fixtures/image-store.ts";
import { fastClockOf } from "../../../support/fast-clock.ts";

/** Three minutes are a second: silence of 30 s is noticed after 150 ms. */
const fastClock = fastClockOf(200);
const basic = `Basic ${Buffer.from("ada:s3cret").toString("base64")}`;

let registry: HostileServer;
let stranger: HostileServer;
let temp: TempStore;

beforeEach(async () => {
  registry = await startHostileRegistry();
  stranger = await startHostileServer();
  temp = await tempStore(fastClock);
  vi.stubEnv("REGISTRY_AUTH_FILE", join(temp.dir, "auth.json"));
  vi.stubEnv("DOCKER_CONFIG", temp.dir);
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await temp[Symbol.asyncDispose]();
  await stranger[Symbol.asyncDispose]();
  await registry[Symbol.asyncDispose]();
});

async function logIn(entry: object): Promise<void> {
  const auths = { [registry.host]: entry };
  await writeFile(join(temp.dir, "auth.json"), JSON.stringify({ auths }));
}
const password = () => logIn({ username: "ada", password: "s3cret" });
const pull = () => temp.resolve(`${registry.host}/app:1`);

/** Demands a token from `realm` for everything. */
function challenge(realm: string): HostileServer["misdeed"] {
  return ({ authorization }, response) => {
    if (authorization?.startsWith("Bearer ") === true) return false;
    const header = `Bearer realm="${realm}",service="s"`;
    response.writeHead(401, { "www-authenticate": header }).end();
    return true;
  };
}

describe("credentials", () => {
  beforeEach(password);

  test.each([
    "http://evil.test/token",
    "http://169.254.169.254/latest/meta-data",
    "http://metadata.google.internal/token",
    "file:///etc/passwd",
    "https://ada:pw@evil.test/token",
    "//evil.test/token",
  ])("do not go to the token server %s", async (realm) => {
    registry.misdeed = challenge(realm);
    await expect(pull()).rejects.toMatchObject({
      code: "image_unauthorized",
      message: expect.stringContaining(`it names "${realm}" as its token server, which `),
    });
  });

  test("do not answer the challenge of a host that the registry redirects to", async () => {
    const token = `http://${stranger.host}/token`;
    stranger.misdeed = challenge(token);
    registry.misdeed = ({ path }, response) => {
      if (!path.includes("/manifests/")) return false;
      response.writeHead(307, { location: `http://${stranger.host}${path}` }).end();
      return true;
    };
    await expect(pull()).rejects.toMatchObject({ code: "image_unauthorized" });
    expect(stranger.heard.map(({ path }) => path)).toEqual(["/v2/app/manifests/1"]);
    expect(stranger.heard.map(({ authorization }) => authorization)).toEqual([undefined]);
  });

  test("in a header do not follow a token server's redirect", async () => {
    registry.misdeed = (heard, response) => {
      if (!heard.path.startsWith("/token")) {
        return challenge(`http://${registry.host}/token`)(heard, response);
      }
      response.writeHead(307, { location: `http://${stranger.host}/token` }).end();
      return true;
    };
    await expect(pull()).rejects.toMatchObject({ code: "image_unauthorized" });
    const atToken = registry.heard.filter(({ path }) => path.startsWith("/token"));
    expect(atToken.map(({ authorization }) => authorization)).toContain(basic);
    expect(stranger.heard.map(({ authorization }) => authorization)).toEqual([undefined]);
  });

  test.each([301, 302, 303, 307, 308])("in a form do not follow a %d", async (status) => {
    await logIn({ identitytoken: "refresh-s3cret" });
    registry.misdeed = (heard, response) => {
      if (!heard.path.startsWith("/token")) {
        return challenge(`http://${registry.host}/token`)(heard, response);
      }
      response.writeHead(status, { location: `http://${stranger.host}/token` }).end();
      return true;
    };
    await expect(pull()).rejects.toMatchObject({
      code: "registry_unreachable",
      message: expect.stringContaining("redirects a login to another host"),
    });
    expect(stranger.heard).toEqual([]);
  });
});

test.each([
  ["file:///etc/passwd", 'to "file:", which is not HTTP'],
  ["http://169.254.169.254/", 'to "169.254.169.254", which has no TLS'],
  ["http://evil.test/x", 'to "evil.test", which has no TLS'],
  ["https://ada:pw@evil.test/x", 'to "evil.test", which carries credentials'],
  ["http://", "to something that is not an address"],
])("a redirect to %s is not followed", async (location, why) => {
  registry.misdeed = ({ path }, response) => {
    if (!path.includes("/manifests/")) return false;
    response.writeHead(307, { location }).end();
    return true;
  };
  await expect(pull()).rejects.toMatchObject({
    code: "registry_unreachable",
    message: expect.stringContaining(`it redirects ${why}`),
  });
});

describe("a body that never ends", () => {
  test.each([
    ["a manifest", "/manifests/", 200],
    ["a blob", "/blobs/", 200],
    ["an error", "/manifests/", 403],
    ["a redirect", "/manifests/", 307],
  ])("of %s ends the pull", async (_what, part, status) => {
    registry.misdeed = ({ path }, response) => {
      if (!path.includes(part)) return false;
      response.writeHead(status, status === 307 ? { location: path } : {});
      drip(response);
      return true;
    };
    await expect(pull()).rejects.toMatchObject({
      code: expect.stringMatching(
        /^(registry_unreachable|image_unauthorized|image_digest_mismatch)$/,
      ),
    });
  });

  test("of a token server ends the pull", async () => {
    registry.misdeed = (heard, response) => {
      if (!heard.path.startsWith("/token")) {
        return challenge(`http://${registry.host}/token`)(heard, response);
      }
      drip(response);
      return true;
    };
    await expect(pull()).rejects.toMatchObject({ code: "registry_unreachable" });
  });
});

test("a layer that drips within its length is broken off", async () => {
  const digest = `sha256:${"a".repeat(64)}`;
  const config = { digest, size: 100_000_000 };
  registry.misdeed = ({ path }, response) => {
    if (path.includes("/manifests/"))
      response.end(imageManifest({ digest, size: 2_000_000 }, config));
    else if (path.includes("/blobs/")) drip(response);
    else return false;
    return true;
  };
  await expect(pull()).rejects.toMatchObject({
    code: "registry_unreachable",
    message: expect.stringContaining("it sent only "),
  });
});

test.each([
  [Number.MAX_SAFE_INTEGER, "image_hostile"],
  [100 * 2 ** 40, "image_hostile"],
])(
  "a manifest that promises a layer of %d bytes is refused before a byte of it",
  async (size, code) => {
    const digest = `sha256:${"a".repeat(64)}`;
    registry.misdeed = ({ path }, response) => {
      if (!path.includes("/manifests/")) return false;
      response.end(
        imageManifest({ digest, size: 10 }, { digest: `sha256:${"b".repeat(64)}`, size }),
      );
      return true;
    };
    await expect(pull()).rejects.toMatchObject({ code });
    expect(registry.heard.filter(({ path }) => path.includes("/blobs/"))).toEqual([]);
  },
);

test("the ordinary answers of this registry are an image", async () => {
  await expect(pull()).resolves.toMatchObject({ origin: "registry" });
});
