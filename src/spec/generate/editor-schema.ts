import { z } from "zod";
import { fieldNotes } from "../schema/field-notes.ts";
import { specSchema } from "../schema/spec-schema.ts";
import { supportOf } from "../support.ts";

/** The JSON Schema (draft 7) of the spec file, for editors. */
export function editorSchema(): Readonly<Record<string, unknown>> {
  const { $schema, ...body } = z.toJSONSchema(specSchema, {
    target: "draft-7",
    io: "input",
    override: ({ zodSchema, jsonSchema, path }) => {
      const notes = fieldNotes.get(zodSchema as unknown as z.ZodType);
      if (notes === undefined) return;
      const { title, support } = nameOf(path);
      jsonSchema.description = `${notes.doc}.${notes.defaultText === undefined ? "" : ` Default: ${notes.defaultText}.`}${support}`;
      Object.assign(jsonSchema, notes.editor);
      if (jsonSchema.type === "integer") delete jsonSchema.format;
      if (title !== null) jsonSchema.title = title;
    },
  });
  return { $schema, title: "microagent spec file", ...body };
}

/** What a JSON Schema path (`properties/agent/properties/egress`) is called, and its support. */
function nameOf(path: readonly (string | number)[]): { title: string | null; support: string } {
  const parts: string[] = [];
  for (let i = 0; i < path.length; i++) {
    if (path[i] === "properties") parts.push(String(path[++i]));
    else return { title: null, support: "" };
  }
  const field = parts.join(".");
  if (field === "") return { title: null, support: "" };
  const { supported, partly } = supportOf(field);
  const support = supported
    ? ""
    : partly === undefined
      ? " Not supported yet by this release."
      : ` Supported so far: ${partly}.`;
  return { title: field, support };
}
