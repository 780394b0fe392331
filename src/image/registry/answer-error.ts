import { z } from "zod";
import { MicroagentError } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import type { Op } from "../../base/op.ts";
import type { Answer } from "./http.ts";

/** What was asked, for the sentence. */
export interface Asked {
  readonly registry: string;
  /** `Image "docker.io/library/debian:12"` or the like. */
  readonly what: string;
  /** Where the credentials that were sent came from, null when none were. */
  readonly credentialsFrom: string | null;
}

const errorBody = z.object({
  errors: z
    .array(z.object({ code: z.string().nullish(), message: z.string().nullish() }))
    .nullish(),
  details: z.string().nullish(),
});

/** The error for an answer that is not what was asked for; reads and ends the answer. */
export async function answerError(op: Op, answer: Answer, asked: Asked): Promise<MicroagentError> {
  const said = await registryMessage(answer);
  const { status } = answer;
  const tail = said === "" ? "" : `: ${said}`;
  const details = { status, registry: asked.registry };
  if (status === 401 || status === 403) {
    return unauthorized(asked, `${status}${tail}`, details);
  }
  if (status === 404) {
    return new MicroagentError("image_not_found", `${asked.what} does not exist${tail}`, {
      hint: "Check the name and the tag",
      details,
    });
  }
  if (status === 429) {
    return new MicroagentError(
      "registry_rate_limited",
      `Registry "${asked.registry}" wants fewer requests (429)${tail}`,
      {
        hint: "Log in for a higher limit, wait, or use an image that needs no registry (mmdebstrap:SUITE)",
        details: {
          ...details,
          retryAfterMs: retryAfterMs(answer.header("retry-after"), op.clock.now()),
        },
      },
    );
  }
  return new MicroagentError(
    "registry_failed",
    `Registry "${asked.registry}" answered ${status} for ${midSentence(asked.what)}${tail}`,
    {
      details: {
        ...details,
        retryAfterMs: retryAfterMs(answer.header("retry-after"), op.clock.now()),
      },
    },
  );
}

/** The error for credentials that are missing or wrong. */
export function unauthorized(
  asked: Asked,
  reason: string,
  details: Readonly<Record<string, unknown>> = {},
): MicroagentError {
  const who =
    asked.credentialsFrom === null
      ? "an anonymous client"
      : `the credentials from "${asked.credentialsFrom}"`;
  const exists =
    asked.registry === "docker.io"
      ? ", or check the name: Docker Hub says the same for what does not exist"
      : "";
  return new MicroagentError(
    "image_unauthorized",
    `Registry "${asked.registry}" refuses ${midSentence(asked.what)} to ${who} (${reason})`,
    { hint: `Log in: docker login ${asked.registry}${exists}`, details },
  );
}

/** What begins a sentence, as it stands within one. */
export function midSentence(what: string): string {
  return what.charAt(0).toLowerCase() + what.slice(1);
}

/** Milliseconds of a `Retry-After` header, in seconds or as a date; null when there is none. */
export function retryAfterMs(header: string | null, now: number): number | null {
  if (header === null) return null;
  if (/^\d{1,9}$/.test(header.trim())) return Number(header) * 1000;
  const date = Date.parse(header);
  return Number.isNaN(date) ? null : Math.max(0, date - now);
}

async function registryMessage(answer: Answer): Promise<string> {
  try {
    const bytes = await answer.bytes(limits.registry.errorBytesMax);
    const parsed = errorBody.safeParse(JSON.parse(Buffer.from(bytes ?? []).toString("utf8")));
    const first = parsed.success ? parsed.data.errors?.[0] : undefined;
    const text =
      first?.message ?? first?.code ?? (parsed.success ? parsed.data.details : null) ?? "";
    // It goes into our message and on to a terminal.
    return text
      .replace(/[^\x20-\x7e]/g, "?")
      .slice(0, 300)
      .replace(/\.$/, "");
  } catch {
    return "";
  }
}
