import type { Op } from "../../src/base/op.ts";
import type { Flags } from "../../src/spec/flags.ts";
import { mergeSpec } from "../../src/spec/merge.ts";
import type { Engine } from "../../src/workspace/engine.ts";
import { createWorkspace } from "../../src/workspace/held/create.ts";

/** Creates a small workspace without a network, but for what the flags say. */
export async function createHeld(
  op: Op,
  engine: Engine,
  name: string,
  flags: Flags,
): Promise<void> {
  const plan = mergeSpec({
    flags: { memory: 128, sizeMib: 64, network: "isolated", ...flags, name },
    file: null,
    surface: "create",
    cwd: engine.layout.root,
  });
  await createWorkspace(op, engine, plan);
}
