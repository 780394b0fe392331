import { durationFlag } from "./duration-flag.ts";

/** As `option` takes it. */
export const ttlOption = [
  "--ttl <duration>",
  "Power it off when nobody has used it for so long: seconds, or 90s, 1h (default: never)",
] as const;

/** Seconds, 0 for never; undefined when it was not given. */
export function ttlFlag(value: unknown): number | undefined {
  return typeof value === "string" ? durationFlag("--ttl", value) / 1000 : undefined;
}
