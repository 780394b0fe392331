import type { Op } from "../../base/op.ts";
import { type AttachmentRequest, nothingAttached } from "../attachments.ts";
import { boot } from "../boot.ts";
import { environmentOf } from "../command.ts";
import type { Engine } from "../engine.ts";
import { runSetup } from "../setup.ts";
import type { Workspace } from "../workspace.ts";
import { awaitReady } from "./ready.ts";
import { publish, saveWorkspace, snapshotsOf } from "./save.ts";
import type { TemplateRequest } from "./template.ts";
import { warmUp } from "./warm-up.ts";

/** After this, a kernel has written what it owed, and the agent's runtime has nobody left who wakes by himself. */
const restMs = 250;

/** Boots, prepares, saves and publishes; whatever fails or is broken off leaves nothing behind. */
export async function buildTemplate(
  op: Op,
  engine: Engine,
  request: TemplateRequest,
  key: string,
): Promise<void> {
  const name = `template-${key.slice(0, 12)}`;
  const attach = withoutOwn(request.boot.attach);
  await using workspace = await op.step("boot", (step) =>
    boot(step, engine, { ...request.boot, name, hostname: "template", attach, saveable: true }),
  );
  await prepareGuest(op, workspace, request);
  const saved = await op.step("save", (step) =>
    saveWorkspace(step, workspace, snapshotsOf(workspace), restMs),
  );
  const { setup } = request;
  const parent = engine.layout.templates;
  await publish(op, workspace, saved, { parent, name: key, key, setup });
}

/** What only clones get: what is delivered to the template would be in every one of them, and on the disk. */
function withoutOwn(attach: AttachmentRequest): AttachmentRequest {
  const { network } = attach;
  return {
    network: network === null ? null : { ...network, forwards: [] },
    secrets: nothingAttached.secrets,
    mediation: nothingAttached.mediation,
  };
}

async function prepareGuest(op: Op, workspace: Workspace, request: TemplateRequest) {
  const { setup, shell, files, ready, prepare, onOutput = () => {} } = request;
  const env = { ...workspace.attachments.env, ...request.env };
  const started = op.clock.monotonic();
  const remainingMs = () => Math.max(1, request.setupTimeoutMs - (op.clock.monotonic() - started));
  const sink = (_phase: unknown, stream: "stdout" | "stderr", data: Uint8Array) =>
    onOutput(stream, data);
  for (const file of files) await workspace.put(op, file.guestPath, file.tree());
  if (setup.length > 0) {
    const commands = { commands: setup, shell, env, remainingMs, onRunning: () => {} };
    await op.step("setup", (step) => runSetup(step, workspace, commands, sink));
  }
  const variables = environmentOf(workspace.report.image.config, env);
  if (prepare !== undefined) {
    await op.step("prepare", (step) => prepare.run(step, workspace), { timeoutMs: remainingMs() });
  }
  if (ready !== null) {
    await op.step("ready", (step) => awaitReady(step, workspace, ready, variables));
  }
  await warmUp(op, workspace, shell, variables);
}
