import { isMicroagentError } from "../../base/errors.ts";
import { Capture } from "../capture.ts";
import type { DispatchResult } from "../dispatch.ts";
import { decodeError, encodeError } from "./wire-error.ts";

/** What JSON has no word for; each stands in an object of its own. */
const dateKey = "$date";
const errorKey = "$error";
const captureKey = "$capture";

/** A run's result on its way to another process of ours, with its dates, errors and captured output. */
export function encodeResult(result: DispatchResult): unknown {
  return encode(result);
}

/** The result that was encoded by this very version. */
export function decodeResult(value: unknown): DispatchResult {
  return decode(value) as DispatchResult;
}

function encode(value: unknown): unknown {
  if (value instanceof Date) return { [dateKey]: value.toISOString() };
  if (isMicroagentError(value)) return { [errorKey]: encodeError(value) };
  if (value instanceof Capture) {
    return { [captureKey]: { text: value.text(), truncated: value.truncated } };
  }
  if (Array.isArray(value)) return value.map(encode);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, encode(each)]));
}

function decode(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(decode);
  if (typeof value !== "object" || value === null) return value;
  const object = value as Readonly<Record<string, unknown>>;
  if (typeof object[dateKey] === "string") return new Date(object[dateKey]);
  if (object[errorKey] !== undefined) return decodeError(object[errorKey]);
  if (object[captureKey] !== undefined) {
    const { text, truncated } = object[captureKey] as { text: string; truncated: boolean };
    return Capture.of(text, truncated);
  }
  return Object.fromEntries(Object.entries(object).map(([key, each]) => [key, decode(each)]));
}
