import type { Command } from "commander";
import { bytesText } from "../../base/quantity.ts";
import { countFlag } from "../flag-values.ts";
import { tableText } from "../render/table.ts";
import { addRunFlags, readRunFlags } from "../run-flags.ts";
import { stateDirOption } from "../state-dir-option.ts";
import { jsonText, type Terminal } from "../terminal.ts";
import { withProgress } from "../with-progress.ts";

interface CommonOptions {
  readonly stateDir?: string;
}

export function define(command: Command, terminal: Terminal): void {
  const print = (value: unknown) => terminal.writeOut(jsonText(value));
  const add = (name: string, summary: string) => command.command(name).description(summary);
  const open = async (options: CommonOptions) => {
    const engine = await import("../../index.ts");
    return { engine, opened: engine.createEngine(engine.stateLayout(options)) };
  };

  add("list", "List the templates of the state directory")
    .alias("ls")
    .option(...stateDirOption)
    .action(async (options: CommonOptions) => {
      const { engine, opened } = await open(options);
      const stored = await engine.listTemplates(opened);
      const templates = stored.map(({ name, path, manifest, sizeBytes, usedAt }) => ({
        key: name,
        image: manifest?.image ?? null,
        setup: manifest?.setup ?? [],
        memory_mib: manifest?.memoryMib ?? null,
        cpus: manifest?.cpus ?? null,
        created_at: manifest?.createdAt ?? null,
        last_used_at: usedAt.toISOString(),
        size_bytes: sizeBytes,
        path,
      }));
      if (terminal.json) return await print({ templates });
      const rows = templates.map((each) => [
        each.key.slice(0, 12),
        each.image ?? "(damaged)",
        `${each.setup.length}`,
        bytesText(each.size_bytes),
        each.last_used_at,
      ]);
      await terminal.writeOut(tableText(["KEY", "IMAGE", "SETUP", "SIZE", "LAST USED"], rows));
    });

  const build = add("build", "Build the template that a dispatch of an Agentfile starts from");
  build.argument("[image]", "Image reference");
  addRunFlags(build);
  build.action(async (image: string | undefined, options: Record<string, unknown>) => {
    const given = readRunFlags(options, image, []);
    const engine = await import("../../index.ts");
    const plan = await engine.planRun("dispatch", given.flags, given.file);
    const opened = engine.createEngine(engine.stateLayout({ stateDir: given.stateDir }));
    const show = (_stream: unknown, data: Uint8Array) => void terminal.writeErr(data);
    const template = await withProgress(terminal, "template", (op) =>
      engine.buildPlanTemplate(op, opened, plan, terminal.json ? undefined : show),
    );
    if (terminal.json) {
      await print({
        key: template.key,
        built: template.built,
        reason: template.reason,
        size_bytes: template.sizeBytes,
        path: template.path,
      });
    } else {
      await terminal.writeOut(`${template.key}\n`);
    }
  });

  add("rm <keys...>", "Remove templates, each by the beginning of its key")
    .alias("delete")
    .option(...stateDirOption)
    .action(async (keys: string[], options: CommonOptions) => {
      const { engine, opened } = await open(options);
      const removed: string[] = [];
      for (const key of keys) removed.push(await engine.removeTemplate(opened, key));
      await (terminal.json ? print({ removed }) : terminal.writeOut(`${removed.join("\n")}\n`));
    });

  add("prune", "Remove the least recently used templates")
    .option("--max-mib <MiB>", "Keep as many as fit into this (default 10240)")
    .option("--all", "Keep none")
    .option(...stateDirOption)
    .action(async (options: CommonOptions & { maxMib?: string; all?: true }) => {
      const { engine, opened } = await open(options);
      const given = options.maxMib;
      const mib = given === undefined ? null : countFlag("--max-mib", given);
      const bytesMax = options.all === true ? 0 : mib === null ? undefined : mib * 1024 * 1024;
      const gone = await withProgress(terminal, "prune", (op) =>
        engine.pruneTemplates(op, opened, bytesMax),
      );
      const freed = gone.reduce((sum, each) => sum + each.sizeBytes, 0);
      const removed = gone.map((each) => each.name);
      if (terminal.json) await print({ removed, freed_bytes: freed });
      else await terminal.writeOut(`${removed.length} removed, ${bytesText(freed)} freed\n`);
    });
}
