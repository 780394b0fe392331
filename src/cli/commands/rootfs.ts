import type { Command } from "commander";
import { bytesText } from "../../base/quantity.ts";
import { architectureFlag, countFlag, wordFlag } from "../flag-values.ts";
import { stateDirOption } from "../state-dir-option.ts";
import { jsonText, type Terminal } from "../terminal.ts";
import { withProgress } from "../with-progress.ts";

interface BuildOptions {
  readonly image: string;
  readonly out: string;
  readonly format: string;
  readonly sizeMib?: string;
  readonly arch?: string;
  readonly allowMutable?: boolean;
  readonly insecureRegistry?: string[];
  readonly stateDir?: string;
}

export function define(command: Command, terminal: Terminal): void {
  command
    .command("build")
    .description("Build a root file system from an image, the same bytes for the same digest")
    .requiredOption("--image <ref>", "Image, named by digest")
    .requiredOption("--out <file>", "File to write")
    .option("--format <format>", "ext4 or erofs", "ext4")
    .option("--size-mib <MiB>", "Size of an ext4 (default: as small as fits, with headroom)")
    .option("--arch <arch>", "Architecture (default: this host's)")
    .option("--allow-mutable", "Accept a tag, which can mean another image tomorrow")
    .option("--insecure-registry <host...>", "Speak plain HTTP to these registries")
    .option(...stateDirOption)
    .action(async (options: BuildOptions) => {
      const engine = await import("../../index.ts");
      const store = engine.openStore(engine.stateLayout(options));
      const report = await withProgress(terminal, "rootfs", (op) =>
        engine.buildRootfs(op, store, options.image, {
          out: options.out,
          format: wordFlag("--format", options.format, ["ext4", "erofs"]),
          sizeMib:
            options.sizeMib === undefined ? undefined : countFlag("--size-mib", options.sizeMib),
          allowMutable: options.allowMutable === true,
          arch: architectureFlag(options.arch, engine.hostArchitecture()),
          pull: "missing",
          insecureRegistries: options.insecureRegistry ?? [],
        }),
      );
      await terminal.writeOut(
        terminal.json
          ? jsonText(report)
          : `${report.output_path} (${report.format}, ${bytesText(report.size_bytes)}) from ${report.resolved_ref}\n`,
      );
    });
}
