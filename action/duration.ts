/** Seconds of `90s`, `15m`, `2h` or a bare number of seconds; null for anything else. */
export function secondsOf(text: string): number | null {
  const match = /^(\d{1,7})(s|m|h)?$/.exec(text.trim());
  if (match === null) return null;
  const seconds = Number(match[1]) * { s: 1, m: 60, h: 3600 }[(match[2] ?? "s") as "s" | "m" | "h"];
  return seconds > 0 ? seconds : null;
}
