import type { ChildProcess } from "node:child_process";

/** A process that a test has started. Waiting for something of it ends with it. */
export interface Running {
  readonly child: ChildProcess;
  /** Exit code; null when a signal ended it. */
  readonly code: Promise<number | null>;
  /** What it has printed so far. */
  stdout(): string;
  stderr(): string;
  /** Both streams, in the order in which they came. */
  text(): string;
  /**
   * Resolves when it has printed this on either stream.
   *
   * @param hopeless what it prints when it cannot print the other any more
   */
  printed(pattern: RegExp, hopeless?: RegExp): Promise<void>;
  /** Resolves when the condition, which is looked at every `everyMs`, holds. */
  until(condition: () => boolean | Promise<boolean>, everyMs?: number): Promise<void>;
}

/** Follows a process from its start. Its output streams have to be pipes. */
export function follow(child: ChildProcess): Running {
  const parts = { stdout: "", stderr: "" };
  let text = "";
  const listeners = new Set<() => void>();
  for (const name of ["stdout", "stderr"] as const) {
    child[name]?.setEncoding("utf8").on("data", (piece: string) => {
      parts[name] += piece;
      text += piece;
      for (const listener of [...listeners]) listener();
    });
  }
  const code = new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (status) => resolve(status));
  });
  const ended = (wish: string) =>
    code.then((status): never => {
      throw new Error(`Ended with ${status} before ${wish}:\n${text}`);
    });
  return {
    child,
    code,
    stdout: () => parts.stdout,
    stderr: () => parts.stderr,
    text: () => text,
    async printed(pattern, hopeless) {
      let look = () => {};
      const seen = new Promise<void>((resolve, reject) => {
        look = () => {
          if (pattern.test(text)) resolve();
          else if (hopeless?.test(text)) reject(new Error(`${pattern} will not come:\n${text}`));
        };
        listeners.add(look);
        look();
      });
      await Promise.race([seen, ended(`it printed ${pattern}`)]).finally(() =>
        listeners.delete(look),
      );
    },
    async until(condition, everyMs = 20) {
      let isOver = false;
      const met = async () => {
        while (!isOver && !(await condition())) {
          await new Promise((resolve) => setTimeout(resolve, everyMs));
        }
      };
      await Promise.race([met(), ended("what the test waits for")]).finally(() => {
        isOver = true;
      });
    },
  };
}
