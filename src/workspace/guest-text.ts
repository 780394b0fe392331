import { posix } from "node:path";
import type { Agent } from "../agent/agent.ts";
import { isMicroagentError } from "../base/errors.ts";
import { GatheredBytes } from "../base/gathered-bytes.ts";
import type { Op } from "../base/op.ts";

const linksMax = 8;

/**
 * The text of a guest file, links followed; null when there is no such file, or a larger one than
 * `bytesMax`.
 */
export async function readGuestText(
  op: Op,
  agent: Pick<Agent, "get">,
  path: string,
  bytesMax: number,
): Promise<string | null> {
  let at = path;
  for (let links = 0; links < linksMax; links++) {
    const found = await readOnce(op, agent, at, bytesMax);
    if (found === null || found.link === null) return found?.text ?? null;
    at = posix.resolve(posix.dirname(at), found.link);
  }
  return null;
}

async function readOnce(
  op: Op,
  agent: Pick<Agent, "get">,
  path: string,
  bytesMax: number,
): Promise<{ readonly text: string; readonly link: string | null } | null> {
  const content = new GatheredBytes();
  try {
    for await (const item of await agent.get(op, path, { maxEntries: 1, maxBytes: bytesMax })) {
      if (item.kind === "entry") {
        const { type, link } = item.entry;
        if (type === "symlink") return { text: "", link };
        if (type !== "file") return null;
      } else if (item.kind === "data") content.add(item.data);
      else if (item.kind === "hole" || item.kind === "skip") return null;
      else if (item.kind === "end" && item.truncated) return null;
    }
  } catch (error) {
    if (isMicroagentError(error) && error.code === "guest_file_not_found") return null;
    throw error;
  }
  return { text: content.bytes().toString("utf8"), link: null };
}
