/**
 * Which room may import which: the only place where it is written down. An import of a type counts
 * like any other. A file belongs to the room with the longest matching path.
 */
export interface Room {
  /** A folder, or a single file, below the repository's root. */
  readonly path: string;
  /** Rooms it may import, besides itself. */
  readonly rooms: readonly string[];
  /** npm packages it may import. */
  readonly packages: readonly string[];
  /** Modules of Node it must not touch. */
  readonly banned?: readonly string[];
}

/** A pure room moves bytes and values; it has no files, no processes and no sockets of its own. */
const outsideWorld = [
  "node:fs",
  "node:fs/promises",
  "node:net",
  "node:http",
  "node:https",
  "node:os",
  "node:child_process",
];

const engineParts = [
  "src/version.ts",
  "src/base",
  "src/host",
  "src/spec",
  "src/channel",
  "src/agent",
  "src/agent/guest-calls.ts",
  "src/image",
  "src/kernel",
  "src/egress",
  "src/mediation",
  "src/secret",
  "src/supervisor/port.ts",
  "src/supervisor",
];

export const rooms: readonly Room[] = [
  // Layer 0
  { path: "src/base", rooms: [], packages: [], banned: outsideWorld },
  { path: "src/version.ts", rooms: [], packages: [], banned: outsideWorld },
  // Layer 1
  { path: "src/host", rooms: ["src/base"], packages: ["execa", "undici"] },
  { path: "src/spec", rooms: ["src/base"], packages: ["zod", "yaml"] },
  { path: "src/channel", rooms: ["src/base"], packages: ["zod"], banned: outsideWorld },
  // Layer 2. The port is the vocabulary of machines and kernels: values and interfaces, no code.
  { path: "src/supervisor/port.ts", rooms: ["src/base"], packages: [] },
  {
    path: "src/agent",
    rooms: ["src/base", "src/host", "src/channel", "src/agent/guest-calls.ts"],
    packages: ["zod"],
  },
  { path: "src/image", rooms: ["src/base", "src/host"], packages: ["zod", "tar", "fzstd"] },
  {
    path: "src/kernel",
    rooms: ["src/base", "src/host", "src/supervisor/port.ts"],
    packages: ["zod", "fzstd"],
  },
  // The calls of a guest are the vocabulary between its agent and whoever answers: interfaces, no code.
  { path: "src/agent/guest-calls.ts", rooms: ["src/base"], packages: [] },
  { path: "src/mediation", rooms: ["src/base"], packages: ["zod"], banned: outsideWorld },
  { path: "src/secret", rooms: ["src/base", "src/host"], packages: ["zod"] },
  {
    path: "src/egress",
    rooms: ["src/base", "src/host", "src/channel", "src/agent/guest-calls.ts"],
    packages: ["zod", "fzstd"],
  },
  {
    path: "src/supervisor",
    rooms: ["src/base", "src/host", "src/supervisor/port.ts"],
    packages: ["zod"],
  },
  // Layer 3
  { path: "src/workspace", rooms: engineParts, packages: ["zod"], banned: ["node:net"] },
  {
    path: "supervisors/qemu",
    // A proof boot shakes hands with the guest, as whoever boots a machine does.
    rooms: ["src/base", "src/host", "src/channel", "src/supervisor/port.ts", "src/supervisor"],
    packages: ["zod"],
  },
  {
    // The complete fake answers as a guest agent would, so it speaks the agent's side of the wire.
    path: "supervisors/memory",
    rooms: [
      "src/base",
      "src/host",
      "src/channel",
      "src/agent",
      "src/supervisor/port.ts",
      "src/supervisor",
    ],
    packages: ["zod"],
  },
  // It asks the engine's own parts, so that it finds out what a boot would find out.
  { path: "src/doctor", rooms: [...engineParts, "src/workspace"], packages: [] },
  // It reads what runs left, and starts nothing.
  { path: "src/report", rooms: ["src/base", "src/host", "src/egress"], packages: ["zod"] },
  // Layer 4
  {
    path: "src/registry.ts",
    rooms: [...engineParts, "src/workspace", "supervisors/qemu", "supervisors/memory"],
    packages: [],
  },
  // What every surface does with a plan; a part of the door.
  {
    path: "src/runs.ts",
    rooms: ["src/base", "src/host", "src/spec", "src/workspace", "src/registry.ts"],
    packages: [],
  },
  // The program that holds one workspace.
  {
    path: "src/holder.ts",
    rooms: ["src/host", "src/workspace", "src/registry.ts"],
    packages: [],
  },
  {
    path: "src/index.ts",
    rooms: [
      ...engineParts,
      "src/workspace",
      "src/doctor",
      "src/report",
      "src/registry.ts",
      "src/runs.ts",
    ],
    packages: [],
  },
  // Layer 5. The command line knows the engine by its door, and the errors before it opens it:
  // help and usage errors must not load the engine.
  {
    path: "src/cli",
    rooms: ["src/index.ts", "src/base", "src/version.ts"],
    packages: ["commander"],
  },
  {
    path: "action",
    rooms: ["src/index.ts"],
    packages: [
      "@actions/artifact",
      "@actions/cache",
      "@actions/core",
      "@actions/exec",
      "@actions/glob",
      // Requests that go through the runner's proxy and follow no redirect: the toolkit's own follow each.
      "undici",
    ],
  },
  // Configuration half, worker half and what both know; Vitest's types come with it.
  {
    path: "vitest-plugin",
    rooms: ["src/index.ts", "vitest-plugin/guest-pool/wire"],
    packages: ["vitest", "zod", "es-module-lexer", "import-meta-resolve"],
  },
  // What runs in a machine instead of the host, and what both sides know.
  { path: "vitest-plugin/guest-pool/wire", rooms: [], packages: [], banned: outsideWorld },
  {
    path: "vitest-plugin/guest-pool/guest",
    rooms: ["vitest-plugin/guest-pool/wire"],
    packages: ["vitest"],
  },
];
