import { posix } from "node:path";
import type { Program, ProgramRun } from "./guest-script.ts";
import { runShell } from "./guest-shell.ts";

/**
 * The commands every in-memory guest has. They do what their names say for the plain cases and
 * nothing more: no options except `sh -c`, `mkdir -p` and `echo -n`. See `runShell` for what `sh`
 * understands.
 */
export const builtinPrograms: Readonly<Record<string, Program>> = {
  true: () => 0,
  false: () => 1,
  echo,
  cat,
  env: async (run) => {
    for (const [name, value] of run.env) await run.stdout(`${name}=${value}\n`);
    return 0;
  },
  pwd: async (run) => {
    await run.stdout(`${run.cwd}\n`);
    return 0;
  },
  id: async (run) => {
    await run.stdout(`${run.user}\n`);
    return 0;
  },
  mkdir: (run) => {
    for (const path of operands(run)) run.files.makeDir(posix.resolve(run.cwd, path));
    return 0;
  },
  rm: (run) => {
    for (const path of operands(run)) run.files.remove(posix.resolve(run.cwd, path));
    return 0;
  },
  sleep,
  poweroff: (run) => {
    run.powerOff();
    return 0;
  },
  sh: runShell,
  bash: runShell,
};

async function echo(run: ProgramRun): Promise<number> {
  const plain = run.argv[1] !== "-n";
  await run.stdout(run.argv.slice(plain ? 1 : 2).join(" ") + (plain ? "\n" : ""));
  return 0;
}

async function cat(run: ProgramRun): Promise<number> {
  const paths = operands(run);
  if (paths.length === 0) {
    for await (const data of run.stdin) await run.stdout(data);
    return 0;
  }
  let exitCode = 0;
  for (const path of paths) {
    const data = run.files.read(posix.resolve(run.cwd, path));
    if (data === null) {
      await run.stderr(`cat: ${path}: No such file or directory\n`);
      exitCode = 1;
    } else await run.stdout(data);
  }
  return exitCode;
}

async function sleep(run: ProgramRun): Promise<number> {
  const seconds = Number(run.argv[1]);
  if (!Number.isFinite(seconds) || seconds < 0) return 1;
  await new Promise<void>((resolve) => {
    const cancel = run.clock.after(seconds * 1000, resolve);
    run.signal.addEventListener("abort", () => {
      cancel();
      resolve();
    });
  });
  return 0;
}

function operands(run: ProgramRun): string[] {
  return run.argv.slice(1).filter((word) => !word.startsWith("-"));
}
