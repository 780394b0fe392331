import type { Command } from "commander";
import { MicroagentError } from "../../base/errors.ts";
import { bytesText } from "../../base/quantity.ts";
import { architectureFlag, countFlag, wordFlag } from "../flag-values.ts";
import { tableText } from "../render/table.ts";
import { stateDirOption } from "../state-dir-option.ts";
import { jsonText, type Terminal } from "../terminal.ts";
import { withProgress } from "../with-progress.ts";

interface CommonOptions {
  readonly stateDir?: string;
  readonly arch?: string;
}

export function define(command: Command, terminal: Terminal): void {
  const print = (value: unknown) => terminal.writeOut(jsonText(value));
  const add = (name: string, summary: string) =>
    command
      .command(name)
      .description(summary)
      .option(...stateDirOption);

  add("pull <ref>", "Fetch an image into the store and build its base image")
    .option("--arch <arch>", "Architecture (default: this host's)")
    .option("--policy <policy>", "always or missing", "always")
    .option("--insecure-registry <host...>", "Speak plain HTTP to these registries")
    .action(
      async (
        ref: string,
        options: CommonOptions & { policy: string; insecureRegistry?: string[] },
      ) => {
        const engine = await import("../../index.ts");
        const store = engine.openStore(engine.stateLayout(options));
        const { image, base } = await withProgress(terminal, "pull", async (op) => {
          const found = await engine.resolveImage(op, store, ref, {
            arch: architectureFlag(options.arch, engine.hostArchitecture()),
            pull: wordFlag("--policy", options.policy, ["always", "missing"]),
            insecureRegistries: options.insecureRegistry ?? [],
          });
          return { image: found, base: await engine.ensureBaseImage(op, store, found) };
        });
        if (terminal.json) {
          await print({
            image_ref: image.reference,
            resolved_ref: image.resolvedRef,
            digest: image.digest,
            platform: { os: "linux", architecture: image.arch },
            output_path: base.path,
            size_bytes: base.sizeBytes,
          });
        } else {
          await terminal.writeOut(`${image.resolvedRef}\n`);
        }
      },
    );

  add("list", "List the images of the store")
    .alias("ls")
    .action(async (options: CommonOptions) => {
      const engine = await import("../../index.ts");
      const store = engine.openStore(engine.stateLayout(options));
      const images = await withProgress(terminal, "list", (op) => engine.listImages(op, store));
      if (terminal.json) {
        await print({ images });
        return;
      }
      const rows = images.map((image) => [
        image.image_ref,
        image.digest.slice(0, 19),
        image.platform.architecture,
        bytesText(image.size_bytes),
        image.last_used_at,
      ]);
      await terminal.writeOut(tableText(["IMAGE", "DIGEST", "ARCH", "SIZE", "LAST USED"], rows));
    });

  add("tag <source> <target>", "Give a stored image another name")
    .option("--arch <arch>", "Architecture (default: this host's)")
    .action(async (source: string, target: string, options: CommonOptions) => {
      const engine = await import("../../index.ts");
      const store = engine.openStore(engine.stateLayout(options));
      const arch = architectureFlag(options.arch, engine.hostArchitecture());
      const tagged = await withProgress(terminal, "tag", (op) =>
        engine.tagImage(op, store, source, target, arch),
      );
      await (terminal.json ? print(tagged) : terminal.writeOut(`${tagged.image_ref}\n`));
    });

  add("rm <refs...>", "Forget names of images; prune frees their bytes")
    .alias("delete")
    .option("--arch <arch>", "Only this architecture")
    .option("--purge", "Also free what nothing else needs")
    .action(async (refs: string[], options: CommonOptions & { purge?: boolean }) => {
      const engine = await import("../../index.ts");
      const store = engine.openStore(engine.stateLayout(options));
      const arch =
        options.arch === undefined
          ? null
          : architectureFlag(options.arch, engine.hostArchitecture());
      const removed = await withProgress(terminal, "rm", async (op) => {
        const names = await engine.removeImages(op, store, refs, arch);
        if (options.purge === true) {
          const inUse = await engine.imagesInUse(engine.stateLayout(options));
          await engine.pruneImages(op, store, { inUse, unusedForMs: null });
        }
        return names;
      });
      if (terminal.json) await print({ images: removed });
      for (const each of terminal.json ? [] : removed) {
        if (each.deleted) await terminal.writeOut(`removed: ${each.image_ref}\n`);
      }
      const unknown = removed.filter((each) => !each.deleted).map((each) => `"${each.image_ref}"`);
      if (unknown.length > 0) {
        throw new MicroagentError("image_not_found", `No image is named ${unknown.join(", ")}`, {
          hint: "See what there is with: microagent image list",
        });
      }
    });

  add("prune", "Free what no name and no running machine needs")
    .option("--older-than <days>", "Also forget images not used for so many days")
    .action(async (options: CommonOptions & { olderThan?: string }) => {
      const engine = await import("../../index.ts");
      const store = engine.openStore(engine.stateLayout(options));
      const days =
        options.olderThan === undefined ? null : countFlag("--older-than", options.olderThan);
      const inUse = await engine.imagesInUse(engine.stateLayout(options));
      const report = await withProgress(terminal, "prune", (op) =>
        engine.pruneImages(op, store, {
          inUse,
          unusedForMs: days === null ? null : days * 86_400_000,
        }),
      );
      if (terminal.json) await print(report);
      else {
        await terminal.writeOut(
          `freed ${bytesText(report.freed_bytes)}: ${report.blobs} blobs, ${report.bases} base images, ${report.partials} interrupted downloads\n`,
        );
      }
    });
}
