import type { TestContext } from "vitest";

declare module "vitest" {
  interface TaskMeta {
    /** Why the test was left out; `npm test` prints it beside the test's name. */
    refused?: string;
  }
}

/** What a host answered that forbids something. */
const refusals =
  /Operation not permitted|Permission denied|Read-only file system|EPERM|EACCES|EROFS|ENOSPC/;

/**
 * The only way to leave out a test: this host was asked for exactly what the test needs, and its own words say that it
 * forbids it. Any other answer is a failure of the test.
 */
export function leaveOut(context: TestContext, what: string, answer: string): never {
  if (!refusals.test(answer)) throw new Error(`${what} failed, and was not refused: ${answer}`);
  const reason = `${what} is refused on this host: ${answer.trim().split("\n").at(-1)}`;
  context.task.meta.refused = reason;
  return context.skip(reason);
}
