import type { Command } from "commander";
import { MicroagentError } from "../base/errors.ts";
import { interruptionOf } from "./interruption.ts";
import { egressReceipt } from "./render/egress-receipt.ts";
import { reportError } from "./render/error.ts";
import { progressView } from "./render/progress.ts";
import { receiptText } from "./render/receipt.ts";
import { addRunFlags, readRunFlags } from "./run-flags.ts";
import { jsonText, type Terminal } from "./terminal.ts";
import { ttlFlag, ttlOption } from "./ttl-option.ts";

/** `dispatch` and `run`: the same run, named differently. */
export function defineOneShot(
  command: Command,
  terminal: Terminal,
  surface: "dispatch" | "run",
): void {
  command.argument("[image]", "Image reference").argument("[command...]", "Exact command to run");
  addRunFlags(command);
  command.option(
    "--keep-running",
    "Leave the machine up for microagent exec, until microagent delete",
  );
  command.option(...ttlOption);
  command
    .passThroughOptions()
    .action(
      async (image: string | undefined, words: string[], options: Record<string, unknown>) => {
        refuseOptionAsCommand(words[0], surface);
        const { keepRunning, ttl, ...rest } = options;
        const ttlSeconds = ttlFlag(ttl);
        if (ttlSeconds !== undefined && keepRunning !== true) {
          throw new MicroagentError("usage", "Flag --ttl wants --keep-running: nothing else stays");
        }
        const given = readRunFlags(rest, image, words);
        if (!namesSomething(given)) throw nothingToRun(surface);
        const staying = { keepRunning: keepRunning === true, ttlSeconds };
        await runOneShot(terminal, surface, given, staying);
      },
    );
}

/** All words behind the image are the command's; no program has a name like an option. */
function refuseOptionAsCommand(word: string | undefined, surface: "dispatch" | "run"): void {
  if (word === undefined || !word.startsWith("-")) return;
  throw new MicroagentError(
    "usage",
    `Option "${word.slice(0, 80)}" stands behind the image: wanted it before, or a command`,
    { hint: `For example: microagent ${surface} --setup COMMAND --image IMAGE --exec COMMAND` },
  );
}

/** What a run can be about; without any of it only defaults would run, which nobody asked for. */
const subjects = ["image", "exec", "entrypoint", "imageCommand"] as const;

function namesSomething(given: ReturnType<typeof readRunFlags>): boolean {
  return given.file !== undefined || subjects.some((key) => given.flags[key] !== undefined);
}

function nothingToRun(surface: "dispatch" | "run"): MicroagentError {
  const example =
    surface === "dispatch"
      ? "microagent dispatch --file agent.yaml"
      : "microagent run docker.io/library/alpine uname -a";
  return new MicroagentError(
    "usage",
    `Command "${surface}" has nothing to run: wanted an image, --file or --exec`,
    { hint: `For example: ${example} (microagent ${surface} --help shows more)` },
  );
}

async function runOneShot(
  terminal: Terminal,
  surface: "dispatch" | "run",
  given: ReturnType<typeof readRunFlags>,
  staying: { readonly keepRunning: boolean; readonly ttlSeconds: number | undefined },
): Promise<void> {
  const engine = await import("../index.ts");
  const plan = await engine.planRun(surface, given.flags, given.file);
  if (given.dryRun) {
    await terminal.writeOut(jsonText(engine.renderPlan(plan)));
    return;
  }
  const view = progressView(terminal);
  const interruption = interruptionOf(terminal);
  interruption.signal.addEventListener("abort", view.clear, { once: true });
  try {
    const result = await engine.runPlan(plan, {
      stateDir: given.stateDir,
      ...staying,
      signal: interruption.signal,
      onProgress: interruption.watching(view.listener),
      onOutput: terminal.json
        ? undefined
        : async (phase, stream, data) => {
            // Standard output belongs to the entry alone; what setup prints is part of the story.
            const toOut = phase === "run" && stream === "stdout";
            if (!toOut || terminal.stdoutIsTty) view.outputComes(data);
            await (toOut ? terminal.writeOut(data) : terminal.writeErr(data));
          },
    });
    view.clear();
    terminal.exitCode = engine.exitCodeFor(result.termination);
    if (terminal.json) {
      await terminal.writeOut(jsonText(engine.resultJson(result)));
    } else {
      const suggestion = result.audit === null ? null : engine.suggestAllow(plan, result.audit);
      const egress = egressReceipt(result, suggestion, plan.specFile);
      await terminal.writeErr(receiptText(result, terminal, egress));
      if (staying.keepRunning && result.keptAt !== null) {
        const name = result.workspace;
        await terminal.writeErr(
          `${name} stays up: microagent exec ${name} -- PROGRAM, and microagent delete ${name} --force
`,
        );
      }
    }
    if ("error" in result.termination) await reportError(result.termination.error, terminal);
  } finally {
    interruption.signal.removeEventListener("abort", view.clear);
  }
}
