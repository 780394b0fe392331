import { profileNames, profiles } from "../profiles.ts";
import { defaultImage } from "../schema/spec-schema.ts";
import { fieldSupport } from "../support.ts";
import { type FieldRow, fieldRows } from "./field-table.ts";

/** `docs/spec-file.md`: the reference of the spec file, made from the schema. */
export function specPage(): string {
  const rows = fieldRows();
  const blocks = [...new Set(rows.filter((row) => /[.[]/.test(row.path)).map(blockOf))];
  return [
    intro,
    "## Fields\n",
    table(rows.filter((row) => !/[.[]/.test(row.path))),
    ...blocks.flatMap((block) => [
      `### \`${block}\`\n`,
      table(
        rows.filter((row) => row.path !== block && blockOf(row) === block && /[.[]/.test(row.path)),
      ),
    ]),
    profilesSection(),
    flagsSection(),
    errorsSection,
  ].join("\n");
}

function blockOf(row: FieldRow): string {
  return row.path.split(/[.[]/, 1)[0] ?? "";
}

function table(rows: readonly FieldRow[]): string {
  const lines = rows.map(
    ({ path, type, required, defaultText, doc, flag, support }) =>
      `| \`${path}\` | ${type} | ${required ? "required" : defaultText === "" ? "" : defaultOf(defaultText)} | ${doc} | ${flag} | ${support} |`,
  );
  return `| Field | Type | Default | Meaning | Flag | Supported |\n| --- | --- | --- | --- | --- | --- |\n${lines.join("\n")}\n`;
}

function defaultOf(text: string): string {
  return / /.test(text) ? text : `\`${text}\``;
}

function profilesSection(): string {
  const lines = profileNames.map((name) => {
    const { memoryMib, cpus, sizeMib } = profiles[name];
    return `| \`${name}\` | ${memoryMib} | ${cpus} | ${sizeMib} |`;
  });
  return `## Profiles\n\n| Profile | Memory, MiB | Processors | Writable disk, MiB |\n| --- | --- | --- | --- |\n${lines.join("\n")}\n`;
}

function flagsSection(): string {
  const planned = fieldSupport.filter((entry) => !entry.supported && entry.field.startsWith("--"));
  return `## Flags without a field\n\nThese are read and checked like the fields above, and not supported yet: ${planned
    .map((entry) => `\`${entry.field}\``)
    .join(", ")}.\n`;
}

const intro = `<!-- Made from src/spec by \`npm run generate\`. Do not edit. -->

# The spec file

A spec file (\`microagent.yaml\`) says what a workspace is made of. With an \`agent\` block it is an Agentfile: one command,
run once, whose declared outputs come back.

\`\`\`yaml
# yaml-language-server: $schema=./schema/microagent.schema.json
image: ${defaultImage}
setup:
  - pip install requests
files:
  - src: ./agent.py
    dst: /app/agent.py
outputs:
  - name: report
    path: /workspace/report.json
agent:
  entry: python /app/agent.py
\`\`\`

\`microagent spec validate FILE\` checks a file; \`microagent dispatch --file FILE --dry-run\` prints every value that a run
would use, and where each came from. \`schema/microagent.schema.json\` is the same schema for editors: name it in the first
line of a file, as above.

The file is YAML 1.2 in UTF-8, one document, at most 1 MiB. It is read strictly: an unknown key, a key set twice, a wrong
type or a value that is not acceptable is an error with its line and column. Anchors, aliases and merge keys (\`<<\`) work.
Relative paths start at the directory of the spec file; relative paths in flags start at the current directory.

A field marked "not yet" is read and checked, and a run that uses it ends with a \`not_supported_yet\` error that names it.
Values that ask for nothing (an empty list, \`restart: never\`) are no use.

## Who wins

Per field: a flag, then the spec, then the profile, then the default. So \`--memory\` beats \`resources.memoryMiB\`, which beats
\`profile\`, also when the profile is given by flag.

Joined instead of replaced: \`agent.allow\` with \`--egress-allow\`, \`agent.cred-swap\` with \`--cred-swap\`, \`outputs\` with
\`--output\`, \`disks\` with \`--disk\`, \`bundles\` with \`--bundle\`. \`env\` and \`--env\` are joined name by name, the flag winning.
A name that is used twice in a joined list is an error.

The command is, in this order: \`--exec\`, \`--entrypoint\`, \`--image-command\` or the words after the image (one of them),
\`agent.entry\`, \`entrypoint\`, \`service\`, the image's own. Texts are run by \`shell\`; words after the image are run as they are.

\`name\` may be in use already, because a file may well run twice at once: then the run is called \`<name>-<4 chars>\`, and so is its
default output directory. \`--name\` is taken as it is, or refused with \`name_taken\`.
`;

const errorsSection = `## Errors

\`\`\`text
error: microagent.yaml:3:3: Unknown key "memroyMiB" in "resources", close to "memoryMiB": wanted "memoryMiB", "cpuCount", "sizeMiB" or "headroomMiB"

  2 | resources:
> 3 |   memroyMiB: 2048
    |   ^^^^^^^^^
\`\`\`

All problems of a file are found at once; the first is shown, \`microagent spec validate\` and \`--json\` show up to twenty. Values of
\`env\` and anything in \`agent.cred-swap\` that is not a reference are never shown.
`;
