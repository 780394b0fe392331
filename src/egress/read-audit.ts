import { readFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { z } from "zod";
import { errnoOf } from "../base/errors.ts";
import { namesIn } from "../host/directory-names.ts";
import { fileError } from "../host/file-error.ts";
import { type AuditRecord, auditEventNames, egressSignals } from "./audit-event.ts";

/** Complete, or what is known to be wrong: never a clean-looking log that is not. */
export type AuditIntegrity = "complete" | { readonly problem: string };

/** How far one opening of a log was written, lost lines counted. */
export interface AuditPosition {
  readonly opening: string;
  readonly lines: number;
}

export interface AuditReading {
  /** Oldest first; after damage, what stood before it. */
  readonly events: readonly AuditRecord[];
  readonly integrity: AuditIntegrity;
}

const text = z.string().max(4096);
const count = z.number().nonnegative().optional();
const recordSchema = z.object({
  event: z.enum(auditEventNames),
  ts: text,
  host: text,
  dst: text,
  reason: text,
  runtime_id: text,
  session_id: text,
  event_id: z.string().regex(/^[0-9a-f]{8}-[1-9]\d{0,15}$/),
  operation_id: text,
  unlisted: z.boolean(),
  internal: z.boolean(),
  signal: z.enum(egressSignals).optional(),
  allow_with: z.string().optional(),
  bytes_sent: count,
  bytes_received: count,
  count,
  model: text.optional(),
  input_tokens: count,
  output_tokens: count,
});
const lossSchema = z.object({ lost: z.int().positive(), ts: text });

/**
 * Reads a log with the files put aside. An absent log is empty and complete. A line that is none ends
 * the reading: the events before it are returned along with the problem. With the writer's own count in
 * `upTo`, lines missing at the end are noticed as well.
 */
export async function readAuditLog(
  path: string,
  upTo: AuditPosition | null = null,
): Promise<AuditReading> {
  const events: AuditRecord[] = [];
  const integrity = await visitAuditLog(path, upTo, (record) => events.push(record));
  return { events, integrity };
}

/** The same without keeping the records: a guest can make hundreds of thousands. */
export async function visitAuditLog(
  path: string,
  upTo: AuditPosition | null,
  visit: (record: AuditRecord) => void,
): Promise<AuditIntegrity> {
  const reader = new AuditReader(visit);
  for (const file of await filesOf(path)) {
    const content = await contentOf(file);
    if (!reader.take(content, basename(file))) break;
  }
  if (upTo !== null) reader.expect(upTo);
  return reader.integrity;
}

/** Takes the lines of one log in order, and hands the records on. */
export class AuditReader {
  readonly #visit: (record: AuditRecord) => void;
  /** The last number seen of each opening of the log. */
  readonly #numbers = new Map<string, number>();
  /** Numbers that no line has. */
  #gaps = 0;
  /** Lines that marks say were lost. */
  #marked = 0;
  #problem: string | null = null;

  constructor(visit: (record: AuditRecord) => void) {
    this.#visit = visit;
  }

  /** As far as the log was taken. */
  get integrity(): AuditIntegrity {
    // A lost line leaves both a gap and a mark, unless it was the last or the mark is lost too.
    const lost = Math.max(this.#gaps, this.#marked);
    const problem =
      this.#problem ?? (lost > 0 ? `${lost} ${lost === 1 ? "line was" : "lines were"} lost` : null);
    return problem === null ? "complete" : { problem };
  }

  /** Takes whole lines; false once a line is none. `name` is for the problem's sentence. */
  take(content: string, name: string): boolean {
    const lines = content.split("\n");
    if (lines.pop() !== "") this.#problem ??= `The last line of "${name}" is cut off`;
    for (const [at, line] of lines.entries()) {
      if (this.#line(line)) continue;
      this.#problem ??= `Line ${at + 1} of "${name}" is no audit line`;
      return false;
    }
    return true;
  }

  /** Misses what the writer says it wrote beyond the last line. */
  expect({ opening, lines }: AuditPosition): void {
    this.#number(opening, lines + 1);
  }

  #line(line: string): boolean {
    let value: unknown;
    try {
      value = JSON.parse(line);
    } catch {
      return false;
    }
    const record = recordSchema.safeParse(value);
    if (!record.success) return this.#loss(value);
    const [opening = "", digits = ""] = record.data.event_id.split("-");
    this.#number(opening, Number(digits));
    this.#visit(record.data);
    return true;
  }

  #loss(value: unknown): boolean {
    const loss = lossSchema.safeParse(value);
    if (loss.success) this.#marked += loss.data.lost;
    return loss.success;
  }

  #number(opening: string, number: number): void {
    const before = this.#numbers.get(opening) ?? 0;
    this.#gaps += Math.max(0, number - before - 1);
    this.#numbers.set(opening, Math.max(before, number));
  }
}

async function filesOf(path: string): Promise<string[]> {
  const name = basename(path);
  const entries = await namesIn(dirname(path));
  const numbered = entries
    .filter(
      (entry) =>
        entry.startsWith(`${name}.`) && /^[1-9]\d{0,3}$/.test(entry.slice(name.length + 1)),
    )
    .sort((a, b) => Number(b.slice(name.length + 1)) - Number(a.slice(name.length + 1)));
  const all = entries.includes(name) ? [...numbered, name] : numbered;
  return all.map((entry) => join(dirname(path), entry));
}

async function contentOf(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    // Put aside between the listing and now.
    if (errnoOf(error) === "ENOENT") return "";
    throw fileError(error, `File "${path}" cannot be read`);
  }
}
