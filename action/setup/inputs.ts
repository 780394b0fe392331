import type { InputDeclaration } from "../inputs.ts";
import type { OutputDeclaration } from "../outputs.ts";

/** What `action/setup` can be told. */
export const setupInputs: readonly InputDeclaration[] = [
  {
    name: "host",
    default: "true",
    meaning: "`false` only puts the command on the PATH, for jobs that boot nothing.",
  },
  {
    name: "fix-kvm",
    default: "true",
    meaning:
      "Open `/dev/kvm` to this user where it is closed and sudo asks for no password; undone afterwards on self-hosted runners.",
  },
];

/** What `action/setup` tells later steps. */
export const setupOutputs: readonly OutputDeclaration[] = [
  { name: "version", meaning: "Version of the command line." },
  {
    name: "accel",
    meaning: "`kvm`, `hvf` or `tcg`: what machines will run with; empty with `host: false`.",
  },
  {
    name: "state-dir",
    meaning: "State directory, also in `MICROAGENT_STATE_DIR` for later steps.",
  },
];
