/** Lines of one list that a person reads; a guest can make any number of them. */
const linesMax = 20;

/** The first lines, and one with the number of those that are not shown. */
export function firstLines(
  lines: readonly string[],
  count: number,
  rest: (hidden: number) => string,
): string[] {
  const shown = lines.slice(0, linesMax);
  return count > shown.length ? [...shown, rest(count - shown.length)] : shown;
}
