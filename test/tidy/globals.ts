/** Words of code that belong to a few places only, and what everybody else uses instead. */
export interface Ban {
  readonly what: string;
  readonly pattern: RegExp;
  /** Folders and files where it is allowed. */
  readonly allowed: readonly string[];
  readonly instead: string;
}

/** Runs in a machine, where it is a program of its own that has nothing of the product with it. */
const inMachine = "vitest-plugin/guest-pool/guest";

export const bans: readonly Ban[] = [
  {
    what: "the environment",
    pattern: /\bprocess\.env\b/,
    // The terminal reads the surface's own switches, such as NO_COLOR.
    allowed: ["src/host", "src/cli/terminal.ts", inMachine],
    instead: "hostEnvironment of src/host/environment.ts",
  },
  {
    what: "facts about the process and the host",
    pattern: /\bprocess\.(platform|arch|getuid|kill|hrtime|memoryUsage)\b/,
    allowed: ["src/host"],
    instead: "hostEnvironment, or a function of src/host",
  },
  {
    what: "streams, exit code and signals",
    pattern: /\bprocess\.(stdout|stderr|stdin|argv|exit|exitCode|on|once|off)\b/,
    // A run that is interrupted, and one whose main process was killed, end in the plugin.
    allowed: [
      "src/host",
      "src/cli",
      inMachine,
      "vitest-plugin/interrupt.ts",
      "vitest-plugin/worker/orphan.ts",
    ],
    instead: "Op.report for progress, onProcessExit for tear-down",
  },
  {
    what: "clocks and timers",
    pattern: /\b(setTimeout|setInterval|Date\.now|performance\.now)\b|\bnew Date\(\)/,
    allowed: ["src/base/op.ts", "src/host", inMachine],
    instead: "op.sleep, op.clock and op.step",
  },
  {
    what: "random numbers",
    pattern: /\bMath\.random\b/,
    // Jitter between attempts; nothing that is an identity.
    allowed: ["src/host", "src/image/registry/retry.ts"],
    instead: "src/base/ids.ts",
  },
  {
    what: "plain errors",
    pattern: /\bnew (Error|TypeError|RangeError)\(/,
    allowed: ["src/base", inMachine],
    instead: "MicroagentError with a code of src/base/errors.ts",
  },
  {
    what: "the console",
    pattern: /\bconsole\.(log|error|warn|info|debug)\b/,
    // Vitest shows what a worker says by the console alone.
    allowed: ["vitest-plugin/worker/room.ts"],
    instead: "Op.report, or the terminal of src/cli",
  },
];
