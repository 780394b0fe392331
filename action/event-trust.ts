/** Facts of the workflow run that decide what it may leave for others. */
export interface RunEvent {
  /** `GITHUB_EVENT_NAME`. */
  readonly name: string;
  /** The payload of `GITHUB_EVENT_PATH`, or null. */
  readonly payload: unknown;
  /** `ACTIONS_CACHE_MODE`, "" when the runner sets none. */
  readonly cacheMode: string;
}

/** Events whose code or text may come from somebody without write access. */
const untrusted = new Set(["pull_request_target", "issue_comment", "issues", "workflow_run"]);

/** Whether this run may write entries that later, trusted runs restore. */
export function mayWriteCache(event: RunEvent): boolean {
  if (event.cacheMode === "read" || event.cacheMode === "none") return false;
  return !untrusted.has(event.name) && !isForkPullRequest(event);
}

export function mayReadCache(event: RunEvent): boolean {
  return event.cacheMode !== "none" && event.cacheMode !== "write-only";
}

/**
 * Why this run must not be given secrets, null when it may: code of a stranger would run beside them.
 * GitHub gives a fork's `pull_request` none; `pull_request_target` has them and must not use them for it.
 */
export function secretsRefusal(event: RunEvent): string | null {
  if (event.name !== "pull_request_target" || !isForkPullRequest(event)) return null;
  return 'This run is a "pull_request_target" of a fork: its code may be a stranger\'s, so "secrets" are not given to it; "cred-swap" keeps keys out of the guest';
}

function isForkPullRequest(event: RunEvent): boolean {
  if (!event.name.startsWith("pull_request")) return false;
  const request = field(event.payload, "pull_request");
  const head = field(field(field(request, "head"), "repo"), "full_name");
  const base = field(field(field(request, "base"), "repo"), "full_name");
  // A deleted fork has no repository any more: unknown is a stranger's.
  return typeof head !== "string" || head !== base;
}

function field(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null
    ? (value as Record<string, unknown>)[name]
    : undefined;
}
