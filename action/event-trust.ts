/** Facts of the workflow run that decide what it may leave for others. */
export interface RunEvent {
  /** `GITHUB_EVENT_NAME`. */
  readonly name: string;
  /** The payload of `GITHUB_EVENT_PATH`, or null. */
  readonly payload: unknown;
  /** `ACTIONS_CACHE_MODE`, "" when the runner sets none. */
  readonly cacheMode: string;
}

/** Events that only somebody with write access can cause; an event that is not known is not trusted. */
const trusted = new Set([
  ...["push", "pull_request", "merge_group", "schedule", "workflow_dispatch"],
  ...["repository_dispatch", "release", "deployment", "create"],
]);

/** Whether this run may write entries that later, trusted runs restore. */
export function mayWriteCache(event: RunEvent): boolean {
  if (event.cacheMode === "read" || event.cacheMode === "none") return false;
  return trusted.has(event.name) && !isOfFork(event);
}

export function mayReadCache(event: RunEvent): boolean {
  return event.cacheMode !== "none" && event.cacheMode !== "write-only";
}

/**
 * Why this run must not give secrets to a guest, null when it may: code of a stranger would run beside them.
 * GitHub gives a fork's `pull_request` none; `pull_request_target` and `workflow_run` have them and must not
 * use them for it.
 */
export function secretsRefusal(event: RunEvent): string | null {
  if (!["pull_request_target", "workflow_run"].includes(event.name) || !isOfFork(event)) {
    return null;
  }
  return `This run is a "${event.name}" of a fork: its code may be a stranger's, so no secrets are given to the guest. Hint: "cred-swap" keeps keys out of it`;
}

function isOfFork(event: RunEvent): boolean {
  if (event.name === "workflow_run") {
    const run = field(event.payload, "workflow_run");
    return isForeign(field(run, "head_repository"), field(event.payload, "repository"));
  }
  if (!event.name.startsWith("pull_request")) return false;
  const request = field(event.payload, "pull_request");
  return isForeign(field(field(request, "head"), "repo"), field(field(request, "base"), "repo"));
}

/** A deleted fork has no repository any more: unknown is a stranger's. */
function isForeign(head: unknown, base: unknown): boolean {
  const name = field(head, "full_name");
  return typeof name !== "string" || name !== field(base, "full_name");
}

function field(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null
    ? (value as Record<string, unknown>)[name]
    : undefined;
}
