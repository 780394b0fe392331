import { type FieldPath, pathText } from "./field-path.ts";
import { nearestName } from "./nearest.ts";
import { oneLine } from "./printable.ts";
import { everyFieldPath, keysAt } from "./schema/field-lookup.ts";
import { alternatives } from "./schema/field-notes.ts";
import type { Complaint } from "./source.ts";

/** Names people bring along from other tools, and the field that does the same here. */
const familiar: Readonly<Record<string, string>> = {
  memory: "resources.memoryMiB",
  mem: "resources.memoryMiB",
  cpus: "resources.cpuCount",
  cpu: "resources.cpuCount",
  vcpus: "resources.cpuCount",
  disk: "resources.sizeMiB",
  size: "resources.sizeMiB",
  environment: "env",
  volumes: "disks",
  mounts: "disks",
  ports: "network.forwards",
  publish: "network.forwards",
  artifacts: "outputs",
  command: "agent.entry",
  cmd: "agent.entry",
  exec: "agent.entry",
  run: "agent.entry",
  healthcheck: "health",
  credentials: "agent.cred-swap",
};

/** What to say of a key that the mapping at `parent` does not have. */
export function unknownKeyComplaint(parent: FieldPath, key: string): Complaint {
  const where = parent.length === 0 ? "" : ` in "${pathText(parent)}"`;
  const opening = `Unknown key "${oneLine(key)}"${where}`;
  const valid = keysAt(parent);
  const elsewhere = fieldElsewhere(parent, key);
  if (elsewhere !== null) {
    const level = elsewhere.includes(".")
      ? `under "${elsewhere.slice(0, elsewhere.lastIndexOf("."))}"`
      : "at the top level";
    return {
      sentence: `${opening}: wanted ${elsewhere.endsWith(key) ? "it" : `"${lastOf(elsewhere)}"`} ${level}`,
      wanted: elsewhere,
      nearest: elsewhere,
      hint:
        level === "at the top level"
          ? `Move "${lastOf(elsewhere)}" to the top level of the file`
          : `Write it as ${elsewhere}`,
    };
  }
  const nearest = nearestName(key, valid);
  const wanted = alternatives(valid);
  return {
    sentence:
      valid.length > 8
        ? `${opening}: wanted ${nearest === null ? `one of ${wanted}` : `"${nearest}"`}`
        : `${opening}${nearest === null ? "" : `, close to "${nearest}"`}: wanted ${wanted}`,
    wanted,
    nearest,
  };
}

/** The full path of a field that was written at the wrong level, or under another tool's name. */
function fieldElsewhere(parent: FieldPath, key: string): string | null {
  const own = keysAt(parent);
  // A typo of a key that belongs here is likelier than a key that belongs elsewhere.
  const all = everyFieldPath();
  const exact = all.filter((path) => lastOf(path) === key);
  const [only] = exact;
  if (only !== undefined && exact.length === 1) return only;
  const top = exact.find((path) => !path.includes("."));
  if (top !== undefined && parent.length > 0) return top;
  if (nearestName(key, own) !== null || !Object.hasOwn(familiar, key)) return null;
  return familiar[key] ?? null;
}

function lastOf(path: string): string {
  return path.slice(path.lastIndexOf(".") + 1);
}
