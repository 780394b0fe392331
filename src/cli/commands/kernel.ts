import type { Command } from "commander";
import { MicroagentError } from "../../base/errors.ts";
import { architectureFlag } from "../flag-values.ts";
import { tableText } from "../render/table.ts";
import { stateDirOption } from "../state-dir-option.ts";
import { jsonText, type Terminal } from "../terminal.ts";
import { withProgress } from "../with-progress.ts";

interface InstallOptions {
  readonly stateDir?: string;
  readonly arch?: string;
  readonly url?: string;
  readonly sha256?: string;
  readonly from?: string;
}

export function define(command: Command, terminal: Terminal): void {
  const print = (value: unknown) => terminal.writeOut(jsonText(value));
  const add = (name: string, summary: string) =>
    command
      .command(name)
      .description(summary)
      .option(...stateDirOption);

  add("list", "List installed kernels and those that could be")
    .alias("ls")
    .action(async (options: { stateDir?: string }) => {
      const kernels = await catalogueOf(options);
      const found = await withProgress(terminal, "kernel", (op) => kernels.list(op));
      if (terminal.json) {
        await print({ kernels: found });
        return;
      }
      const rows = found.map((each) => [
        `${each.name}${each.default ? " (default)" : ""}`,
        each.version ?? "-",
        each.flavor ?? "-",
        each.source ?? "-",
        each.status,
        each.notes.join("; "),
      ]);
      await terminal.writeOut(
        tableText(["KERNEL", "VERSION", "FLAVOR", "SOURCE", "STATUS", "NOTES"], rows),
      );
    });

  add("install", "Fetch the distribution's kernel, or one by URL or path")
    .option("--url <url>", "Fetch this kernel; --sha256 is mandatory then")
    .option("--sha256 <hex>", "Digest the kernel must have")
    .option("--from <path>", "Take a kernel file of this host")
    .option("--arch <arch>", "Architecture (default: this host's)")
    .action(async (options: InstallOptions) => {
      const { kernels, arch } = await kernelsFor(options);
      const request = installRequest(options);
      const kernel = await withProgress(terminal, "kernel", (op) =>
        kernels.install(op, request, arch),
      );
      await showKernel(kernel);
    });

  add("build", "Build our own small kernel from the distribution's source (minutes)")
    .option("--arch <arch>", "Architecture (default: this host's)")
    .action(async (options: { stateDir?: string; arch?: string }) => {
      const { kernels, arch } = await kernelsFor(options);
      const kernel = await withProgress(terminal, "kernel", (op) => kernels.build(op, arch));
      await showKernel(kernel);
    });

  add("verify", "Read every installed kernel again and compare it with its record").action(
    async (options: { stateDir?: string }) => {
      const kernels = await catalogueOf(options);
      const verified = await withProgress(terminal, "kernel", (op) => kernels.verify(op));
      const bad = verified.filter((each) => each.problems.length > 0);
      if (terminal.json) await print({ ok: bad.length === 0, kernels: verified });
      for (const each of terminal.json ? [] : verified) {
        const verdict = each.problems.length === 0 ? "ok" : each.problems.join("; ");
        await terminal.writeOut(`${each.name}: ${verdict}\n`);
      }
      if (bad.length > 0) terminal.exitCode = 1;
    },
  );

  async function showKernel(kernel: {
    readonly name: string;
    readonly source: string;
    readonly image: { readonly version: string; readonly flavor: string; readonly sha256: string };
  }): Promise<void> {
    const { version, flavor, sha256 } = kernel.image;
    await (terminal.json
      ? print({ name: kernel.name, source: kernel.source, version, flavor, sha256 })
      : terminal.writeOut(`${kernel.name} (${version}, ${kernel.source})\n`));
  }
}

async function catalogueOf(options: { stateDir?: string }) {
  const engine = await import("../../index.ts");
  return engine.openKernels(engine.stateLayout(options));
}

async function kernelsFor(options: { stateDir?: string; arch?: string }) {
  const { hostArchitecture } = await import("../../index.ts");
  return {
    kernels: await catalogueOf(options),
    arch: architectureFlag(options.arch, hostArchitecture()),
  };
}

function installRequest(options: InstallOptions) {
  if (options.url !== undefined && options.from !== undefined) {
    throw new MicroagentError("usage", "Flags --url and --from exclude each other");
  }
  if (options.from !== undefined) return { kind: "path", path: options.from } as const;
  if (options.url === undefined) return { kind: "distribution" } as const;
  if (options.sha256 === undefined) {
    throw new MicroagentError("usage", "Flag --url needs --sha256 beside it", {
      hint: "A kernel from anywhere is only as good as the digest it is checked against",
    });
  }
  return { kind: "url", url: options.url, sha256: options.sha256 } as const;
}
