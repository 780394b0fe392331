import { MicroagentError } from "../base/errors.ts";

const units: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** Milliseconds of a duration such as `90`, `90s`, `1m30s` or `500ms`; a number alone is seconds. */
export function durationFlag(flag: string, value: string): number {
  if (/^[0-9]{1,9}(\.[0-9]{1,3})?$/.test(value)) return Math.round(Number(value) * 1000);
  const parts = [...value.matchAll(/([0-9]{1,9}(?:\.[0-9]{1,3})?)(ms|s|m|h)/g)];
  const isWhole = parts.map((part) => part[0]).join("") === value;
  if (parts.length > 0 && isWhole) {
    const ms = parts.reduce(
      (sum, [, count, unit]) => sum + Number(count) * (units[unit ?? ""] ?? 0),
      0,
    );
    return Math.round(ms);
  }
  throw new MicroagentError(
    "invalid_argument",
    `Value "${value}" of ${flag} is not acceptable: wanted a duration such as "90s" or "1m30s"`,
  );
}
