import { limits } from "../../base/limits.ts";

/** One header line; the name in lower case. */
export type Field = readonly [name: string, value: string];

/** What concerns one connection only and is never passed on (RFC 9110, 7.6.1). */
const perConnection = new Set([
  "connection",
  "http2-settings",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/** No connection option takes these away: they frame and address the message. */
const never = new Set(["content-length", "host"]);

/** Name and value pairs as Node lists them, without the pseudo headers of HTTP/2. */
export function fieldsOf(raw: readonly string[]): readonly Field[] {
  const fields: Field[] = [];
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const name = (raw[at] ?? "").toLowerCase();
    if (!name.startsWith(":")) fields.push([name, raw[at + 1] ?? ""]);
  }
  return fields;
}

/** The same of an object of HTTP/2 headers. */
export function fieldsOfObject(
  headers: Readonly<Record<string, string | number | readonly string[] | undefined>>,
): readonly Field[] {
  return Object.entries(headers).flatMap(([name, value]): Field[] => {
    if (name.startsWith(":") || value === undefined) return [];
    if (Array.isArray(value)) return value.map((one): Field => [name, one]);
    return [[name, String(value)]];
  });
}

/** The fields that continue to the next hop. */
export function endToEnd(fields: readonly Field[]): readonly Field[] {
  const options = valuesOf(fields, "connection")
    .flatMap((value) => value.split(","))
    .map((option) => option.trim().toLowerCase())
    .filter((option) => !never.has(option));
  const named = new Set(options);
  return fields.filter(([name]) => !perConnection.has(name) && !named.has(name));
}

/** False for a field that frames, addresses or decodes a message: it comes too late behind the body. */
export function isForTrailer(name: string): boolean {
  return !perConnection.has(name) && !never.has(name) && !/^content-/.test(name);
}

export function valuesOf(fields: readonly Field[], name: string): readonly string[] {
  return fields.filter((field) => field[0] === name).map((field) => field[1]);
}

export function tooManyFields(fields: readonly Field[]): boolean {
  const length = fields.reduce((sum, [name, value]) => sum + name.length + value.length + 4, 0);
  return fields.length > limits.swap.headFieldsMax || length > limits.swap.headBytesMax;
}

/** Name and value in turn, as Node's HTTP/1.1 takes them. */
export function flat(fields: readonly Field[]): string[] {
  return fields.flat();
}

/** As Node's HTTP/2 takes them; what comes more than once is a list, cookies are one line. */
export function objectOf(fields: readonly Field[]): Record<string, string | string[]> {
  const object: Record<string, string | string[]> = Object.create(null);
  for (const [name, value] of fields) {
    const before = object[name];
    if (before === undefined) object[name] = value;
    else if (name === "cookie") object[name] = `${before}; ${value}`;
    else object[name] = [...(Array.isArray(before) ? before : [before]), value];
  }
  return object;
}

/** As Node's HTTP/1.1 takes trailers. */
export function pairs(fields: readonly Field[]): readonly [string, string][] {
  return fields.map(([name, value]) => [name, value]);
}
