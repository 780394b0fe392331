import { editorSchema } from "./editor-schema.ts";
import { specPage } from "./spec-page.ts";

/** Files that are made from the schema: path below the project's root, and content. */
export function specFiles(): Readonly<Record<string, string>> {
  return {
    "schema/microagent.schema.json": `${JSON.stringify(editorSchema(), null, 2)}\n`,
    "docs/spec-file.md": specPage(),
  };
}
