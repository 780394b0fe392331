import { z } from "zod";
import { type ErrorCode, MicroagentError } from "../base/errors.ts";
import { printable } from "../channel/printable.ts";

/** The guest's codes that have a code of their own on the host; the others are `guest_refused`. */
const hostCode: Readonly<Record<string, ErrorCode>> = {
  not_found: "guest_file_not_found",
  not_started: "exec_not_started",
};

const refusalSchema = z.object({
  ok: z.literal(false),
  code: z.string(),
  message: z.string().default(""),
  errno: z.string().optional(),
});

/**
 * The error of a reply that says no, null for any other value. `action` completes "The guest cannot";
 * the guest's own code and errno are in the details as `guestCode` and `errno`.
 */
export function refusalOf(reply: unknown, action: string): MicroagentError | null {
  const parsed = refusalSchema.safeParse(reply);
  if (!parsed.success) return null;
  const { code, message, errno } = parsed.data;
  const guestCode = printable(code, 64);
  const reason = message === "" ? guestCode : printable(message, 500);
  return new MicroagentError(
    hostCode[code] ?? "guest_refused",
    `The guest cannot ${action}: ${reason}`,
    {
      details: { guestCode, ...(errno === undefined ? {} : { errno: printable(errno, 32) }) },
      hint: code === "not_started" ? "Check the command, its path and its directory" : undefined,
    },
  );
}
