import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import { withOp } from "../../../src/base/op.ts";
import { resolveImage } from "../../../src/image/resolve.ts";
import { openStore } from "../../../src/image/store.ts";
import { makeOciLayout } from "../../fixtures/oci-layout.ts";
import { openWorkbench, type Workbench } from "../../fixtures/workbench.ts";

const run = promisify(execFile);

/** One line per path: type, mode, owner, length of files, time, link target. */
const listing =
  "find . -xdev \\( -type d -printf '%P|d|%m|%U:%G||%T@\\n' -o -type l -printf '%P|l|%m|%U:%G||%T@|%l\\n' -o -printf '%P|%y|%m|%U:%G|%s|%T@|%n\\n' \\)";
const digests = "find . -xdev -type f -print0 | xargs -0 sha256sum";

/** Mount points and what lies under them, the root itself, and what the agent writes: not the image's. */
const ours = /^\||^(dev|proc|sys|run|tmp)[/|]|^etc(\/(hostname|hosts|resolv\.conf))?\|/;

let bench: Workbench;
beforeAll(async () => {
  bench = await openWorkbench();
});
afterAll(async () => {
  await bench[Symbol.asyncDispose]();
});

test("the tree a guest sees is the one umoci unpacks, file by file", async () => {
  const store = openStore(bench.layout);
  const image = await withOp("test", {}, (op) =>
    resolveImage(op, store, "mmdebstrap:bookworm?variant=minbase", {
      arch: "x86_64",
      pull: "missing",
      insecureRegistries: [],
    }),
  );
  const [layer] = image.layers;
  const bytes = await readFile(layer?.path ?? "");
  const tar = layer?.compression === "gzip" ? gunzipSync(bytes) : bytes;
  const layout = await makeOciLayout(join(bench.dir, "layout"), {
    layers: [{ tar, compression: "none" }],
  });
  const bundle = join(bench.dir, "bundle");
  await run("umoci", ["unpack", "--image", `${layout.dir}:${layout.tag}`, bundle]);
  const rootfs = join(bundle, "rootfs");
  const unpacked = async (command: string) =>
    (await run("sh", ["-c", command], { cwd: rootfs, maxBuffer: 64 << 20 })).stdout;

  const seen = await bench.run({
    image: image.resolvedRef,
    memory: 512,
    timeoutSeconds: 500,
    exec: `cd /; ${listing} > /tmp/tree; ${digests} > /tmp/digests`,
    output: ["tree=/tmp/tree", "digests=/tmp/digests"],
    outputDir: join(bench.dir, "seen"),
  });
  expect(seen.termination).toEqual({ kind: "exited", exitCode: 0 });
  const guest = async (name: string) => await readFile(join(bench.dir, "seen", name, name), "utf8");

  const lines = (text: string) =>
    text.split("\n").filter((line) => line !== "" && !ours.test(line));
  const tree = lines(await guest("tree")).sort();
  expect(tree.length).toBeGreaterThan(3_000);
  expect(tree).toEqual(lines(await unpacked(listing)).sort());

  const sums = (text: string) =>
    text
      .split("\n")
      .filter((line) => !/\.\/((tmp|dev|run)\/|etc\/(hostname|hosts|resolv\.conf)$)|^$/.test(line))
      .sort();
  expect(sums(await guest("digests"))).toEqual(sums(await unpacked(digests)));
}, 900_000);
