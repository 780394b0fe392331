import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import type { RunEvent } from "./event-trust.ts";

/** What the runner says about the job; the only reader of its variables. */
export interface Job {
  readonly workspace: string;
  readonly temp: string;
  readonly id: string;
  readonly runId: string;
  readonly attempt: string;
  /** Address of the GitHub that it runs on; "" when that is not known. */
  readonly server: string;
  readonly selfHosted: boolean;
  /** Where tools stay from job to job on a machine that outlives them; null elsewhere. */
  readonly toolCache: string | null;
  /** Where people find an artifact of this run; "" when that is not known. */
  artifactUrl(id: string): string;
  readonly event: RunEvent;
}

export async function readJob(env: NodeJS.ProcessEnv = process.env): Promise<Job> {
  const server = env.GITHUB_SERVER_URL ?? "";
  const repository = env.GITHUB_REPOSITORY ?? "";
  const selfHosted = env.RUNNER_ENVIRONMENT === "self-hosted";
  const runId = env.GITHUB_RUN_ID ?? "0";
  return {
    workspace: env.GITHUB_WORKSPACE ?? process.cwd(),
    temp: env.RUNNER_TEMP ?? tmpdir(),
    id: env.GITHUB_JOB ?? "job",
    runId,
    attempt: env.GITHUB_RUN_ATTEMPT ?? "1",
    server,
    selfHosted,
    toolCache: (selfHosted && env.RUNNER_TOOL_CACHE) || null,
    artifactUrl: (id) =>
      server === "" || repository === "" || id === ""
        ? ""
        : `${server}/${repository}/actions/runs/${runId}/artifacts/${id}`,
    event: {
      name: env.GITHUB_EVENT_NAME ?? "",
      payload: await payloadOf(env.GITHUB_EVENT_PATH),
      cacheMode: env.ACTIONS_CACHE_MODE ?? "",
    },
  };
}

async function payloadOf(path: string | undefined): Promise<unknown> {
  if (path === undefined || path === "") return null;
  try {
    return JSON.parse(await readFile(path, "utf8"));
  } catch {
    return null;
  }
}
