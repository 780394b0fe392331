import { isMicroagentError, MicroagentError } from "../../src/index.ts";
import { Machine } from "../machine/machine.ts";

export interface FileFacts {
  /** All of its text, a part that matches, or its bytes. */
  readonly content?: string | RegExp | Uint8Array | undefined;
  /** Permission bits. */
  readonly mode?: number | undefined;
  /** User id. */
  readonly owner?: number | undefined;
}

interface Verdict {
  pass: boolean;
  message: () => string;
}

/** How long the opposite of a waiting matcher looks. */
const briefly = { timeout: 200 };

export async function toListenOn(
  this: { readonly isNot?: boolean | undefined },
  received: unknown,
  port: number,
): Promise<Verdict> {
  const machine = machineOf(received);
  return await waited(this.isNot === true, (bound) => machine.waitFor.port(port, bound), {
    is: `Port ${port} listens on machine "${machine.name}"`,
  });
}

export async function toHaveProcess(
  this: { readonly isNot?: boolean | undefined },
  received: unknown,
  name: string,
): Promise<Verdict> {
  const machine = machineOf(received);
  return await waited(this.isNot === true, (bound) => machine.waitFor.process(name, bound), {
    is: `Process "${name}" runs on machine "${machine.name}"`,
  });
}

export async function toHaveFile(
  received: unknown,
  path: string,
  facts: FileFacts = {},
): Promise<Verdict> {
  const machine = machineOf(received);
  const wrong = await fileFaults(machine, path, facts);
  return {
    pass: wrong.length === 0,
    message: () =>
      wrong.length === 0
        ? `File "${path}" of machine "${machine.name}" is as described`
        : `File "${path}" of machine "${machine.name}" ${wrong.join(", and ")}`,
  };
}

async function fileFaults(machine: Machine, path: string, facts: FileFacts): Promise<string[]> {
  const entry = await machine.stat(path).catch((error: unknown) => {
    if (isMicroagentError(error) && error.code === "guest_file_not_found") return null;
    throw error;
  });
  if (entry === null) return ["is not there"];
  const { content, mode, owner } = facts;
  const wrong: string[] = [];
  const octal = (bits: number) => `0${bits.toString(8)}`;
  if (mode !== undefined && entry.mode !== mode) {
    wrong.push(`has mode ${octal(entry.mode)}, wanted ${octal(mode)}`);
  }
  if (owner !== undefined && entry.uid !== owner) {
    wrong.push(`belongs to user ${entry.uid}, wanted ${owner}`);
  }
  if (content !== undefined) {
    const bytes = await machine.readFile(path);
    const text = bytes.toString("utf8");
    const fits =
      typeof content === "string"
        ? text === content
        : content instanceof RegExp
          ? content.test(text)
          : Buffer.compare(bytes, content) === 0;
    if (!fits) wrong.push(`holds ${JSON.stringify(text.slice(0, 500))}`);
  }
  return wrong;
}

export async function toHaveChangedOnly(
  received: unknown,
  paths: readonly string[],
): Promise<Verdict> {
  const machine = machineOf(received);
  const changed = await machine.changes();
  const others = changed.filter((path) => !isAllowed(path, paths));
  return {
    pass: others.length === 0,
    message: () =>
      others.length === 0
        ? `Machine "${machine.name}" has changed only ${paths.join(", ")}`
        : `Machine "${machine.name}" has changed more:\n  ${others.slice(0, 50).join("\n  ")}`,
  };
}

/** A directory counts as changed when something in it was made or removed: those above allowed paths may. */
function isAllowed(path: string, allowed: readonly string[]): boolean {
  return allowed.some(
    (each) =>
      path === each ||
      path === `${each}/` ||
      (each.endsWith("/") && path.startsWith(each)) ||
      (path.endsWith("/") && each.startsWith(path)),
  );
}

async function waited(
  isNot: boolean,
  wait: (bound: { readonly timeout?: number }) => Promise<void>,
  { is }: { readonly is: string },
): Promise<Verdict> {
  try {
    await wait(isNot ? briefly : {});
    return { pass: true, message: () => is };
  } catch (error) {
    if (!isMicroagentError(error) || error.code !== "timeout") throw error;
    return { pass: false, message: () => error.message };
  }
}

function machineOf(received: unknown): Machine {
  if (received instanceof Machine) return received;
  // Of a second copy of this package.
  if (typeof received === "object" && received !== null && "waitFor" in received) {
    return received as Machine;
  }
  throw new MicroagentError("invalid_argument", "What was expected is no machine");
}
