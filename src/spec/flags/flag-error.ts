import { MicroagentError } from "../../base/errors.ts";
import { nearestName } from "../nearest.ts";
import { describeValue } from "../printable.ts";
import { alternatives, type Check, type Fault } from "../schema/field-notes.ts";

/** The `invalid_argument` of a flag: what it is and what was wanted. */
export function flagError(
  flag: string,
  value: string,
  wanted: string,
  options: { readonly fault?: Fault; readonly secret?: boolean } = {},
): MicroagentError {
  const { fault = {}, secret = false } = options;
  const why = fault.why === undefined ? "" : secret ? ` ${fault.why}` : `, which ${fault.why}`;
  const found = secret ? (why === "" ? " is not valid" : "") : ` is ${describeValue(value)}`;
  const hint =
    fault.hint ?? (fault.nearest === undefined ? undefined : `Did you mean "${fault.nearest}"?`);
  return new MicroagentError("invalid_argument", `Flag ${flag}${found}${why}: wanted ${wanted}`, {
    hint,
    details: { flag, wanted, nearest: fault.nearest ?? null },
  });
}

/** The value, if `check` has nothing against it. */
export function checkedFlag(flag: string, value: string, check: Check, wanted: string): string {
  const fault = check(value);
  if (fault !== null) throw flagError(flag, value, wanted, { fault });
  return value;
}

/** One word of a closed list. */
export function choiceFlag<const T extends string>(
  flag: string,
  value: string,
  values: readonly T[],
  retired: Readonly<Record<string, string>> = {},
): T {
  const found = values.find((candidate) => candidate === value);
  if (found !== undefined) return found;
  const nearest = nearestName(value, values);
  const successor = Object.hasOwn(retired, value) ? retired[value] : undefined;
  throw flagError(flag, value, alternatives(values), {
    fault: {
      ...(successor === undefined
        ? {}
        : {
            why: "is a word of another version",
            hint: successor.charAt(0).toUpperCase() + successor.slice(1),
          }),
      ...(nearest === null ? {} : { nearest }),
    },
  });
}

/** A whole number from `min` to `max`. */
export function wholeFlag(
  flag: string,
  value: string | number,
  min: number,
  max: number,
  unit: string,
): number {
  const number =
    typeof value === "number" ? value : /^\d+$/.test(value) ? Number(value) : Number.NaN;
  if (Number.isSafeInteger(number) && number >= min && number <= max) return number;
  const mebibytes = unit === " of MiB" ? inMebibytes(String(value)) : undefined;
  throw flagError(flag, String(value), `a whole number${unit} from ${min} to ${max}`, {
    fault: mebibytes === undefined ? {} : { hint: `In MiB: ${flag} ${mebibytes}` },
  });
}

const mebibytesOf: Readonly<Record<string, number>> = { m: 1, g: 1024, t: 1024 * 1024 };

/** What a size with a unit comes to, as people write it for memory. */
function inMebibytes(value: string): number | undefined {
  const [, count, unit = ""] = /^(\d{1,6}) ?([mgt])(?:i?b)?$/i.exec(value) ?? [];
  return count === undefined ? undefined : Number(count) * (mebibytesOf[unit.toLowerCase()] ?? 1);
}

/** Seconds, fractions allowed, above zero. */
export function secondsFlag(flag: string, value: string | number): number {
  const number =
    typeof value === "number" ? value : /^\d+(\.\d+)?$/.test(value) ? Number(value) : Number.NaN;
  const max = 30 * 86_400;
  if (number > 0 && number <= max) return number;
  const seconds = inSeconds(String(value));
  throw flagError(flag, String(value), `seconds, above 0 and at most ${max}`, {
    fault: seconds === undefined ? {} : { hint: `In seconds: ${flag} ${seconds}` },
  });
}

const secondsOf: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600 };

function inSeconds(value: string): number | undefined {
  const [, count, unit = ""] = /^(\d{1,6})([smh])$/.exec(value) ?? [];
  return count === undefined ? undefined : Number(count) * (secondsOf[unit] ?? 1);
}

const byteUnits = { "": 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3, TiB: 1024 ** 4 } as const;

/** Bytes as a whole number from 1, optionally with KiB, MiB, GiB or TiB. */
export function bytesFlag(flag: string, value: string | number): number {
  const match = /^(\d+)(|KiB|MiB|GiB|TiB)$/.exec(String(value));
  const unit = byteUnits[(match?.[2] ?? "") as keyof typeof byteUnits];
  const bytes = match === null ? Number.NaN : Number(match[1]) * unit;
  if (Number.isSafeInteger(bytes) && bytes >= 1) return bytes;
  throw flagError(flag, String(value), "bytes such as 1048576, 512MiB or 50GiB, at least 1");
}
