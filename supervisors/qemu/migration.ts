import { MicroagentError } from "../../src/base/errors.ts";
import type { Op } from "../../src/base/op.ts";
import type { CommandArguments, Control } from "./control.ts";
import { majorOf } from "./version.ts";

/** From this version on QEMU reads a saved state by its path, and frowns on descriptors of files. */
const filePathsSince = 9;

/** Whether memory travels in the stream, or is in a file of its own; both sides must agree. */
export type MemoryPlace = "stream" | "file";

/** The end is told, not asked for. */
function capabilities(memory: MemoryPlace): CommandArguments {
  return {
    capabilities: [
      { capability: "x-ignore-shared", state: memory === "file" },
      { capability: "events", state: true },
    ],
  };
}

/** There is no network in between to be considerate of. */
const parameters: CommandArguments = { "max-bandwidth": 2 ** 40 };

/** Loads a saved state; afterwards the machine is paused as it was. `vmm_failed` when it does not fit. */
export async function loadState(
  op: Op,
  control: Control,
  state: {
    readonly path: string;
    readonly fd: number;
    readonly vmmVersion: string;
    readonly memory: MemoryPlace;
  },
): Promise<void> {
  const uri = majorOf(state.vmmVersion) >= filePathsSince ? `file:${state.path}` : `fd:${state.fd}`;
  const end = control.migrationEnd();
  // All at once: each round trip would cost a part of the start.
  await Promise.all([
    control.execute(op, "migrate-set-capabilities", capabilities(state.memory)),
    control.execute(op, "migrate-incoming", { uri }),
  ]);
  if ((await op.race(end)) === "failed") throw failed("load the saved state");
}

/** Sends the state of a stopped machine to `uri`. */
export async function sendState(
  op: Op,
  control: Control,
  uri: string,
  memory: MemoryPlace,
): Promise<void> {
  const end = control.migrationEnd();
  await Promise.all([
    control.execute(op, "migrate-set-capabilities", capabilities(memory)),
    control.execute(op, "migrate-set-parameters", parameters),
    control.execute(op, "migrate", { uri }),
  ]);
  if ((await op.race(end)) === "failed") throw failed("write its state");
}

function failed(what: string): MicroagentError {
  return new MicroagentError("vmm_failed", `QEMU could not ${what}`);
}
