// A process of its own, so that its memory is the build's: stored image to base image, once.
//   node measure-base.mjs STORE REFERENCE  prints {"ms", "peakMib", "bytes"}
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { ensureBaseImage, openStore, resolveImage, withOp } from "../product.mjs";

const [, , root, reference] = process.argv;
const store = openStore({ images: join(root, "images"), root });
await rm(join(root, "images", "bases"), { recursive: true, force: true });
const image = await withOp("bench", (op) =>
  resolveImage(op, store, reference, {
    arch: process.arch === "arm64" ? "aarch64" : "x86_64",
    pull: "missing",
    insecureRegistries: [],
  }),
);
const started = performance.now();
const base = await withOp("bench", (op) => ensureBaseImage(op, store, image));
const ms = performance.now() - started;
// Not the operating system's account of the process: that also counts what the parent had when it started this one.
const status = await readFile("/proc/self/status", "latin1");
const peakMib = Number(/^VmHWM:\s*(\d+) kB$/m.exec(status)?.[1]) / 1024;
process.stdout.write(JSON.stringify({ ms, peakMib, bytes: base.sizeBytes }));
