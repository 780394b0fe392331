/** What a text says as JSON, for a schema to look at; null, which no schema of ours takes, for a text that is none. */
export function jsonOrNull(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
