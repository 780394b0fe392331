import { createHash } from "node:crypto";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, expect, test } from "vitest";
import { runCli } from "../../../src/cli/program.ts";
import type { Terminal } from "../../../src/cli/terminal.ts";
import { tarLayer } from "../../fixtures/tar-layer.ts";
import {
  expectOwnLines,
  foreignValues,
  hostileText,
  type Json,
  mutated,
} from "../../support/foreign-values.ts";

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "microagent-foreign-"));
});
afterEach(async () => {
  await rm(dir, { recursive: true, force: true });
});

const config: Json = {
  os: "linux",
  architecture: "amd64",
  variant: "v1",
  created: "2026-01-01T00:00:00Z",
  author: "a",
  config: {
    User: "root",
    WorkingDir: "/",
    Env: ["PATH=/bin"],
    Entrypoint: ["/bin/sh"],
    Cmd: ["-c", "true"],
    StopSignal: "SIGTERM",
    Labels: { label: "value" },
    ExposedPorts: { "80/tcp": {} },
    Volumes: { "/data": {} },
  },
  rootfs: { type: "layers", diff_ids: ["DIFF"] },
  history: [{ created_by: "c", comment: "d" }],
};

function listening() {
  let err = "";
  let out = "";
  const terminal: Terminal = {
    version: "0.0.0",
    json: false,
    color: false,
    debug: false,
    exitCode: 0,
    stdoutIsTty: false,
    stderrIsTty: false,
    columns: 80,
    cwd: dir,
    environment: {},
    readerGone: false,
    writeOut: async (data) => {
      out += Buffer.from(data).toString();
    },
    writeErr: async (data) => {
      err += Buffer.from(data).toString();
    },
    onSignal: () => () => {},
    exitNow: () => {
      throw new Error("exitNow");
    },
    finish: async () => {},
  };
  return { terminal, err: () => err, out: () => out };
}

interface Parts {
  readonly config?: Json;
  readonly manifest?: Json;
  readonly index?: Json;
}

const digestOf = (bytes: Uint8Array) =>
  `sha256:${createHash("sha256").update(bytes).digest("hex")}`;

/** A layout whose documents are what `change` makes of good ones. */
async function writeLayout(
  place: string,
  change: (good: Required<Parts>) => Parts,
): Promise<string> {
  await mkdir(join(place, "blobs", "sha256"), { recursive: true });
  const blob = async (bytes: Uint8Array) => {
    const digest = digestOf(bytes);
    await writeFile(join(place, "blobs", "sha256", digest.slice(7)), bytes);
    return { digest, size: bytes.length };
  };
  const json = (value: unknown) => Buffer.from(JSON.stringify(value) ?? "null");
  const tar = tarLayer([{ path: "etc", type: "dir" }]);
  const text = JSON.stringify(config).replace("DIFF", digestOf(tar));
  const layer = {
    mediaType: "application/vnd.oci.image.layer.v1.tar+gzip",
    ...(await blob(gzipSync(tar))),
  };
  const goodConfig = JSON.parse(text) as Json;
  const chosen = change({ config: goodConfig, manifest: null, index: null }).config ?? goodConfig;
  const manifest: Json = {
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    config: {
      mediaType: "application/vnd.oci.image.config.v1+json",
      ...(await blob(json(chosen))),
    },
    layers: [layer],
    annotations: { note: "a" },
  };
  const chosenManifest = change({ config: null, manifest, index: null }).manifest ?? manifest;
  const index: Json = {
    schemaVersion: 2,
    manifests: [
      {
        mediaType: "application/vnd.oci.image.manifest.v1+json",
        ...(await blob(json(chosenManifest))),
        platform: { os: "linux", architecture: "amd64", variant: "v1" },
        annotations: { "org.opencontainers.image.ref.name": "latest" },
      },
    ],
  };
  const chosenIndex = change({ config: null, manifest: null, index }).index ?? index;
  await writeFile(join(place, "index.json"), json(chosenIndex));
  await writeFile(join(place, "oci-layout"), JSON.stringify({ imageLayoutVersion: "1.0.0" }));
  return `oci:${place}:latest`;
}

const documents = ["config", "manifest", "index"] as const;

test.each(documents)(
  "whatever stands in an image's %s, each line about it is one of ours and bounded",
  async (document) => {
    let refused = 0;
    for (const value of foreignValues) {
      let count = 0;
      await writeLayout(join(dir, "good"), (good) => {
        if (good[document] !== null) count = [...mutated(good[document], value)].length;
        return {};
      });
      for (let at = 0; at < count; at++) {
        const place = join(dir, `${at}`);
        const reference = await writeLayout(place, (good) =>
          good[document] === null ? {} : { [document]: [...mutated(good[document], value)][at] },
        );
        for (const words of value === hostileText ? [[], ["--json"]] : [[]]) {
          const { terminal, err, out } = listening();
          const args = ["--arch", "x86_64", "--state-dir", join(dir, "state")];
          const code = await runCli([...words, "image", "pull", reference, ...args], terminal);
          if (code !== 0) refused++;
          const printed = `${err()}${words.length === 0 ? out() : ""}`;
          expectOwnLines(printed, `${document} ${at}`);
          expect(err()).not.toContain("This is a bug");
        }
        await rm(place, { recursive: true });
      }
      await rm(join(dir, "good"), { recursive: true });
    }
    expect(refused).toBeGreaterThan(10);
  },
  120_000,
);
