import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const call = promisify(execFile);

/** Words that run the rest in a mount namespace of its own, or what the host says against it. */
export type MountNamespace =
  | { readonly words: readonly string[] }
  | { readonly words: null; readonly answer: string };

const ways = [
  ["unshare", "--user", "--map-root-user", "--mount"],
  // Root may mount where it may not make user namespaces.
  ["unshare", "--mount"],
] as const;

/** Tries the mount itself: a host may allow the namespace and refuse what is done in it. */
export async function mountNamespace(): Promise<MountNamespace> {
  const dir = await mkdtemp(join(tmpdir(), "microagent-mount-"));
  const answers: string[] = [];
  try {
    for (const words of ways) {
      const [program, ...rest] = [...words, "mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", dir];
      const answer = await call(program, rest, { env: { ...process.env, LC_ALL: "C" } }).then(
        () => null,
        (error: { stderr?: string; message: string }) => error.stderr || error.message,
      );
      if (answer === null) return { words };
      answers.push(answer.trim());
    }
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
  return { words: null, answer: answers.join("; ") };
}
