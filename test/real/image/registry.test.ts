import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { tempStore } from "../../fixtures/image-store.ts";
import { digestOf, makeOciLayout, type OciLayout } from "../../fixtures/oci-layout.ts";
import {
  htpasswdPassword,
  htpasswdUser,
  startRegistry,
  type TestRegistry,
} from "../../fixtures/registry.ts";
import { tarLayer } from "../../fixtures/tar-layer.ts";

const run = promisify(execFile);
const data = randomBytes(300_000);
const big = { entries: [{ path: "data", content: data }] };
const small = { entries: [{ path: "etc/hello", content: "hello\n" }] };

let dir: string;
let registry: TestRegistry;
let layout: OciLayout;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "microagent-pull-"));
  registry = await startRegistry();
  layout = await makeOciLayout(join(dir, "oci"), {
    layers: [big, small, { ...small, compression: "none" }],
    config: { Env: ["LANG=C"], Cmd: ["/bin/true"] },
  });
  await registry.push(layout.reference, "team/app:1");
});
afterAll(async () => {
  await registry?.close();
  await rm(dir, { recursive: true, force: true });
});

describe("a registry without credentials", () => {
  test("gives an OCI image by tag, then from the store", async () => {
    await using temp = await tempStore();
    const image = await temp.resolve(`${registry.host}/team/app:1`);
    expect(image).toMatchObject({
      reference: `${registry.host}/team/app:1`,
      resolvedRef: `${registry.host}/team/app@${layout.digest}`,
      origin: "registry",
      config: { env: ["LANG=C"], cmd: ["/bin/true"] },
    });
    expect(image.layers.map((layer) => layer.compression)).toEqual(["gzip", "gzip", "none"]);
    for (const layer of image.layers) {
      expect(digestOf(await readFile(layer.path))).toBe(layer.digest);
    }
    expect((await temp.resolve(`docker://${registry.host}/team/app:1`)).origin).toBe("cache");
    const amounts = temp.events.filter((event) => event.kind === "amount");
    expect(amounts.some((event) => event.total !== null && event.done === event.total)).toBe(true);
  });

  test("gives an image by digest, which needs no second look even when always pulling", async () => {
    await using temp = await tempStore();
    const pinned = `${registry.host}/team/app@${layout.digest}`;
    expect((await temp.resolve(pinned)).digest).toBe(layout.digest);
    expect((await temp.resolve(pinned, { pull: "always" })).origin).toBe("cache");
  });

  test("gives Docker's media types", async () => {
    await using temp = await tempStore();
    await registry.push(layout.reference, "docker:2", "docker");
    const image = await temp.resolve(`${registry.host}/docker:2`);
    expect(image.layers[0]?.mediaType).toBe("application/vnd.docker.image.rootfs.diff.tar.gzip");
    expect(image.config.cmd).toEqual(["/bin/true"]);
  });

  test("gives zstd layers", async () => {
    await using temp = await tempStore();
    const tar = tarLayer(small.entries);
    await writeFile(join(dir, "layer.tar"), tar);
    await run("zstd", ["-q", "-f", join(dir, "layer.tar")]);
    const zstd = await makeOciLayout(join(dir, "zstd"), {
      layers: [
        {
          tar,
          blob: {
            bytes: await readFile(join(dir, "layer.tar.zst")),
            mediaType: "application/vnd.oci.image.layer.v1.tar+zstd",
          },
        },
      ],
    });
    await registry.push(zstd.reference, "zstd:1");
    const image = await temp.resolve(`${registry.host}/zstd:1`);
    expect(image.layers[0]).toMatchObject({ compression: "zstd", diffId: digestOf(tar) });
  });

  test("gives the image of the wanted platform, and names what there is for another", async () => {
    await using temp = await tempStore();
    const arm = { layers: [big], architecture: "arm64", variant: "v8" };
    const multi = await makeOciLayout(join(dir, "multi"), { layers: [small], platforms: [arm] });
    await registry.push(multi.reference, "multi:1");
    const name = `${registry.host}/multi:1`;
    const [amd64, arm64] = await Promise.all([
      temp.resolve(name, { arch: "x86_64" }),
      temp.resolve(name, { arch: "aarch64" }),
    ]);
    expect(amd64.digest).toBe(multi.manifestDigest);
    expect(arm64.digest).not.toBe(amd64.digest);
    expect(arm64.arch).toBe("aarch64");
    await expect(
      temp.resolve(`${registry.host}/team/app:1`, { arch: "aarch64" }),
    ).rejects.toMatchObject({
      code: "image_unsupported",
      message: expect.stringContaining("linux/amd64"),
    });
  });

  test("sees a moved tag only when always pulling", async () => {
    await using temp = await tempStore();
    const name = `${registry.host}/moving:1`;
    await registry.push(layout.reference, "moving:1");
    await temp.resolve(name);
    const next = await makeOciLayout(join(dir, "next"), { layers: [small] });
    await registry.push(next.reference, "moving:1");
    expect((await temp.resolve(name)).digest).toBe(layout.digest);
    expect((await temp.resolve(name, { pull: "never" })).digest).toBe(layout.digest);
    expect((await temp.resolve(name, { pull: "always" })).digest).toBe(next.digest);
    expect((await temp.resolve(name)).digest).toBe(next.digest);
  });

  test("names an unknown image and an unknown tag", async () => {
    await using temp = await tempStore();
    for (const name of ["none/such:1", "team/app:2"]) {
      await expect(temp.resolve(`${registry.host}/${name}`)).rejects.toMatchObject({
        code: "image_not_found",
        message: expect.stringContaining(name),
      });
    }
    await expect(temp.resolve("debian:12", { pull: "never" })).rejects.toMatchObject({
      code: "image_not_found",
    });
  });

  test("is unreachable when nobody listens", async () => {
    await using temp = await tempStore();
    const gone = await startRegistry();
    await gone.close();
    await expect(temp.resolve(`${gone.host}/x:1`)).rejects.toMatchObject({
      code: "registry_unreachable",
    });
  });
});

describe("a registry with basic authentication", () => {
  let secured: TestRegistry;
  beforeAll(async () => {
    secured = await startRegistry({ auth: "htpasswd" });
    await secured.push(layout.reference, "private/app:1");
  });
  afterAll(() => secured?.close());

  let config: string;
  beforeEach(async () => {
    config = await mkdtemp(join(dir, "config-"));
    vi.stubEnv("DOCKER_CONFIG", config);
  });
  afterEach(() => vi.unstubAllEnvs());

  const auth = Buffer.from(`${htpasswdUser}:${htpasswdPassword}`).toString("base64");

  test("wants credentials", async () => {
    await using temp = await tempStore();
    await expect(temp.resolve(`${secured.host}/private/app:1`)).rejects.toMatchObject({
      code: "image_unauthorized",
      message: expect.stringContaining("anonymous"),
      hint: expect.stringContaining(`docker login ${secured.host}`),
    });
  });

  test("takes those of config.json", async () => {
    await using temp = await tempStore();
    await writeFile(
      join(config, "config.json"),
      JSON.stringify({ auths: { [`http://${secured.host}/v2/`]: { auth } } }),
    );
    const image = await temp.resolve(`${secured.host}/private/app:1`);
    expect(image.digest).toBe(layout.digest);
  });

  test("refuses wrong ones and says where they came from", async () => {
    await using temp = await tempStore();
    const path = join(config, "config.json");
    await writeFile(
      path,
      JSON.stringify({
        auths: { [secured.host]: { auth: Buffer.from("ada:no").toString("base64") } },
      }),
    );
    await expect(temp.resolve(`${secured.host}/private/app:1`)).rejects.toMatchObject({
      code: "image_unauthorized",
      message: expect.stringContaining(path),
    });
  });

  test("takes those of a credential helper", async () => {
    await using temp = await tempStore();
    const bin = join(config, "bin");
    await mkdir(bin);
    const asked = join(config, "asked");
    const answer = JSON.stringify({
      ServerURL: secured.host,
      Username: htpasswdUser,
      Secret: htpasswdPassword,
    });
    await writeFile(
      join(bin, "docker-credential-testing"),
      `#!/bin/sh\n[ "$1" = get ] || exit 2\ncat > '${asked}'\necho '${answer}'\n`,
    );
    await chmod(join(bin, "docker-credential-testing"), 0o755);
    vi.stubEnv("PATH", `${bin}:${process.env.PATH}`);
    await writeFile(
      join(config, "config.json"),
      JSON.stringify({ credHelpers: { [secured.host]: "testing" } }),
    );
    expect((await temp.resolve(`${secured.host}/private/app:1`)).digest).toBe(layout.digest);
    expect(await readFile(asked, "utf8")).toBe(secured.host);
  });

  test("names a helper that is not installed", async () => {
    await using temp = await tempStore();
    await writeFile(join(config, "config.json"), JSON.stringify({ credsStore: "no-such-helper" }));
    await expect(temp.resolve(`${secured.host}/private/app:1`)).rejects.toMatchObject({
      code: "host_tool_missing",
      message: expect.stringContaining("docker-credential-no-such-helper"),
    });
  });

  test("takes those of REGISTRY_AUTH_FILE before others, by repository", async () => {
    await using temp = await tempStore();
    const file = join(config, "auth.json");
    vi.stubEnv("REGISTRY_AUTH_FILE", file);
    await writeFile(
      file,
      JSON.stringify({
        auths: {
          [secured.host]: { auth: Buffer.from("ada:no").toString("base64") },
          [`${secured.host}/private`]: { auth },
        },
      }),
    );
    expect((await temp.resolve(`${secured.host}/private/app:1`)).digest).toBe(layout.digest);
  });
});
