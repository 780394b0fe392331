/** Control characters of foreign text must not reach the user's terminal. */
export function printable(text: string): string {
  return text.replace(/[^\n\t\x20-\x7e\u00a0-\u{10ffff}]/gu, "\ufffd");
}
