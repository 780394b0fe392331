/** A file may be longer than this many lines only with a reason below. */
export const longFileLines = 300;

/** The same for a test: cases stand side by side, but nobody reads a book of them. */
export const longTestLines = 400;

/** Path and reason. A file that is no longer long must leave the list. */
export const longFiles: Readonly<Record<string, string>> = {
  "src/base/errors.ts": "the closed table of codes: one row for each",
  "src/base/limits.ts": "the one table of caps: a value and its reason for each",
};
