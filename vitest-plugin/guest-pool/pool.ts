import type { PoolOptions, PoolRunnerInitializer, TestProject } from "vitest/node";
import { collectGarbage, createEngine, type Engine, stateLayout, withOp } from "../../src/index.ts";
import { interruptGracefully } from "../interrupt.ts";
import { templateSteps, withFailureTold } from "../template-progress.ts";
import { type MicrovmPoolOptions, type PoolSettings, resolvePoolOptions } from "./options.ts";
import { GuestPoolWorker } from "./pool-worker.ts";
import { poolName, type WarmTemplate, warmTemplate } from "./template.ts";

/**
 * Experimental: runs whole test files inside of machines. Put it into `test.pool` of a Vitest configuration. Each
 * test file gets a clone of a machine that waits with Node and Vitest loaded.
 */
export function microvmPool(options: MicrovmPoolOptions = {}): PoolRunnerInitializer {
  // Mistakes are told before anything runs.
  const settings = resolvePoolOptions(options);
  const engine = createEngine(stateLayout({ stateDir: settings.stateDir ?? undefined }));
  const templates = new WeakMap<TestProject, Promise<WarmTemplate>>();
  let hasWaited = false;
  return {
    name: poolName,
    createPoolWorker(given) {
      const { project } = given;
      interruptGracefully(project.vitest);
      const warm = (): Promise<WarmTemplate> => {
        let template = templates.get(project);
        if (template === undefined) {
          template = build(engine, settings, given);
          templates.set(project, template);
          // Another run may find other packages, or a cause of failure gone.
          project.onTestsRerun(() => void templates.delete(project));
        }
        return template;
      };
      const onProgress = (event: { readonly kind: string; readonly text?: string }) => {
        if (event.kind !== "warning" && event.kind !== "note") return;
        // Told once: most of a run may be waiting.
        if (event.kind === "note" && hasWaited) return;
        hasWaited ||= event.kind === "note";
        project.vitest.logger.log(`microagent: ${event.text ?? ""}`);
      };
      return new GuestPoolWorker({ engine, settings, options: given, warm, onProgress });
    },
  };
}

async function build(
  engine: Engine,
  settings: PoolSettings,
  given: PoolOptions,
): Promise<WarmTemplate> {
  const { vitest } = given.project;
  const say = (text: string) => vitest.logger.log(`microagent: machine for test files ${text}`);
  const controller = new AbortController();
  const offCancel = vitest.onCancel(() => controller.abort());
  try {
    return await withFailureTold(say, async () => {
      await withOp("gc", {}, (op) => collectGarbage(op, engine.layout)).catch(() => {
        // What others left is no reason to run no test.
      });
      const progress = { onProgress: templateSteps(say), signal: controller.signal };
      const warm = await withOp("template pool", progress, (op) =>
        warmTemplate(op, engine, settings, given),
      );
      const { built, sizeBytes, reason } = warm.template;
      if (built) say(`is built (${Math.round(sizeBytes / 1024 ** 2)} MiB): ${reason}`);
      return warm;
    });
  } finally {
    offCancel();
  }
}
