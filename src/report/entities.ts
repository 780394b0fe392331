const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** Text between tags or in a quoted attribute, of HTML and of XML alike. */
export function withEntities(text: string): string {
  return text.replace(/[&<>"']/g, (character) => entities[character] ?? "");
}
