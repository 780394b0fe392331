import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { resultsDir } from "../build-subject.mjs";
import { boundFigure, plainFigure, ratioFigure } from "../figure.mjs";
import { ensureLayout, layersOf, layoutReference } from "../image/layout.mjs";
import { interleave } from "../measure.mjs";
import { requireProgram, runProgram } from "../tools.mjs";

const script = (name) => fileURLToPath(new URL(`../image/${name}`, import.meta.url));
const baseScript = script("measure-base.mjs");
const gunzipScript = script("measure-gunzip.mjs");
const mebibyte = 1024 * 1024;

/** A stored OCI image with gzip layers to the base image that machines boot from. */
export const image = {
  name: "image",
  async run(bench, runs, onRound) {
    for (const program of ["umoci", "mke2fs"]) requireProgram(program);
    const layout = await ensureLayout(bench.engine, resultsDir);
    const layers = await layersOf(layout);
    const folder = await mkdtemp(join(resultsDir, "image-"));
    const peaks = [];
    const sizes = [];
    try {
      const samples = await interleave(
        runs,
        {
          gunzip: async () => {
            const { ms, bytes } = await measured([gunzipScript, ...layers]);
            sizes.push(bytes / mebibyte);
            return ms;
          },
          ours: async () => {
            const { ms, peakMib } = await measured([baseScript, folder, layoutReference(layout)]);
            peaks.push(peakMib);
            return ms;
          },
          umoci: () => unpackAndFormat(layout, folder, sizes[0]),
        },
        onRound,
      );
      const ours = { name: "gzip layers to base image", unit: "ms", ours: samples.ours };
      return [
        ratioFigure({
          ...{ ...ours, floor: samples.gunzip, floorName: "Node's gunzip of the layers" },
          target: 1.4,
        }),
        ratioFigure({
          ...{ ...ours, floor: samples.umoci, floorName: "umoci unpack + mke2fs -d" },
          target: 0.2,
        }),
        // The first sample is of the round that fills the store, whose process also copies the layers.
        boundFigure({ name: "peak memory", unit: "MiB", ours: peaks.slice(1), target: 200 }),
        plainFigure({ name: "layers, unpacked", unit: "MiB", ours: sizes.slice(1) }),
      ];
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
};

async function measured(args) {
  return JSON.parse(await runProgram(process.execPath, args));
}

/** The usual way with other tools: unpack the layers, then make a file system of the folder. */
async function unpackAndFormat(layout, folder, sizeMib) {
  const bundle = join(folder, "bundle");
  const disk = join(folder, "disk.ext4");
  const rootless = process.getuid?.() === 0 ? [] : ["--rootless"];
  const started = performance.now();
  await runProgram("umoci", ["unpack", ...rootless, "--image", `${layout}:bench`, bundle]);
  const size = `${Math.ceil(sizeMib * 1.5 + 64)}M`;
  await runProgram("mke2fs", ["-q", "-t", "ext4", "-d", join(bundle, "rootfs"), disk, size]);
  const ms = performance.now() - started;
  await rm(bundle, { recursive: true, force: true });
  await rm(disk, { force: true });
  return ms;
}
