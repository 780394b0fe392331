import { MicroagentError } from "../../base/errors.ts";
import type { Op } from "../../base/op.ts";
import { captureFiles } from "../../spec/capture-files.ts";
import type { RunPlan } from "../../spec/plan.ts";
import { unsupportedError } from "../../spec/unsupported.ts";
import type { Engine } from "../engine.ts";
import { requestOf } from "../run-plan.ts";
import { ensureTemplate } from "./ensure.ts";
import type { Template, TemplateRequest } from "./template.ts";

/**
 * The template that a dispatch of this plan starts from: after setup, before the plan's files. Fails as a
 * dispatch that cannot be started does, and with `invalid_argument` when the plan has no setup.
 */
export async function buildPlanTemplate(
  op: Op,
  engine: Engine,
  plan: RunPlan,
  onOutput?: TemplateRequest["onOutput"],
): Promise<Template> {
  const refusal = unsupportedError(plan);
  if (refusal !== null) throw refusal;
  const { boot, setup, shell, env, timeoutMs } = requestOf(plan, await captureFiles(op, plan));
  if (setup.length === 0) {
    throw new MicroagentError(
      "invalid_argument",
      "The plan has no setup, so a template of it would spare nothing",
    );
  }
  return await ensureTemplate(op, engine, {
    boot,
    setup,
    shell,
    env,
    files: [],
    ready: null,
    setupTimeoutMs: timeoutMs,
    onOutput,
  });
}
