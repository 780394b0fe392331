import type { TestProject } from "vitest/node";
import { collectGarbage, createEngine, type Engine, stateLayout, withOp } from "../src/index.ts";
import { namedTemplates } from "./named-templates.ts";
import { resolveOptions } from "./options.ts";
import { pluginState } from "./plugin-state.ts";
import type { ProvidedTemplate } from "./provided.ts";
import { readyTemplate } from "./ready-template.ts";
import { buildTemplate, describeTemplate } from "./template-build.ts";
import { templateSteps, withFailureTold } from "./template-progress.ts";

/** Builds what the selected tests need, once per project, before any of them runs. Vitest calls it by this name. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const options = pluginState().options.get(project.name) ?? {};
  const { settings } = resolveOptions(options);
  const engine = createEngine(stateLayout({ stateDir: settings.stateDir ?? undefined }));
  await withOp("gc", {}, (op) => collectGarbage(op, engine.layout)).catch(() => {
    // What others left is no reason to run no test.
  });
  await provide(project, engine, pluginState().files ?? []);
  project.onTestsRerun(async (specifications) => {
    await provide(
      project,
      engine,
      specifications.map((each) => each.moduleId),
    );
  });
  return async () => {
    await withOp("gc", {}, (op) => collectGarbage(op, engine.layout)).catch(() => {});
  };
}

async function provide(project: TestProject, engine: Engine, files: readonly string[]) {
  const { settings, templates } = resolveOptions(pluginState().options.get(project.name) ?? {});
  const named = await namedTemplates(files, Object.keys(templates), settings.template);
  const provided: Record<string, ProvidedTemplate> = {};
  for (const [name, options] of Object.entries(templates)) {
    const described = await describeTemplate(options);
    const isNeeded = named.has(name) || (files.length > 0 && options.build === "always");
    provided[name] = described;
    if (!isNeeded) continue;
    const say = (text: string) =>
      project.vitest.logger.log(`microagent: template "${name}" ${text}`);
    provided[name] = await withFailureTold(say, async () => {
      const { timeouts } = settings;
      const build = { engine, name, options, described, root: project.config.root, timeouts };
      const found = await withOp(`template ${name}`, { onProgress: templateSteps(say) }, (op) =>
        readyTemplate(op, engine, settings, described, () => buildTemplate(op, build)),
      );
      if (found.built)
        say(`is built (${Math.round(found.sizeBytes / 1024 ** 2)} MiB): ${found.reason}`);
      return { ...described, key: found.key };
    });
  }
  project.provide("microvm", { settings, templates: provided });
}
