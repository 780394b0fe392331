import { limits } from "../../../base/limits.ts";
import type { Trie } from "./trie.ts";
import {
  base64Separators,
  base64Unit,
  characterSeparators,
  characterUnit,
  decimalSeparators,
  decimalUnit,
  hexSeparators,
  hexUnit,
} from "./units.ts";

/** One form of a value: units one after another, each in any of its spellings. */
export interface Needle {
  readonly id: number;
  readonly units: readonly Trie[];
  /** What may stand between two units. */
  readonly separators: Trie;
  /** Units do not follow each other without one. */
  readonly isSeparated: boolean;
  /** The value as it is: its first character alone is kept back at an end. */
  readonly isPlain: boolean;
}

let made = 0;

/** The forms in which a server may send a value back (docs/credential-swap.md lists them). */
export function needlesOf(value: string): readonly Needle[] {
  const bytes = Buffer.from(value, "latin1");
  const needle = (units: Trie[], separators: Trie, more = {}): Needle => ({
    id: ++made,
    units,
    separators,
    isSeparated: false,
    isPlain: false,
    ...more,
  });
  const once = alignments(bytes);
  const inner = once.flatMap(({ text }) => [text, urlSafe(text)]);
  const twice =
    bytes.length > limits.swap.twiceEncodedBytesMax
      ? []
      : [...new Set(inner)].flatMap((text) => alignments(Buffer.from(text, "latin1")));
  return [
    needle([...bytes].map(characterUnit), characterSeparators, { isPlain: true }),
    needle([...bytes].map(hexUnit), hexSeparators),
    needle([...bytes].map(decimalUnit), decimalSeparators, { isSeparated: true }),
    ...[...once, ...twice].map(({ units }) => needle(units, base64Separators)),
  ];
}

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

interface Aligned {
  readonly units: Trie[];
  /** The characters that the value alone decides about. */
  readonly text: string;
}

/** Base64 of a text that holds `bytes` after a multiple of three bytes, and after one and two more. */
function alignments(bytes: Buffer): readonly Aligned[] {
  return [0, 1, 2].map((before) => {
    const bits = [...bytes].map((byte) => byte.toString(2).padStart(8, "0")).join("");
    const unknown = (before * 8) % 6;
    const padded = `${"?".repeat(unknown)}${bits}`;
    const groups = padded.match(/.{1,6}/g) ?? [];
    const candidates = groups.map((group) => charactersOf(group.padEnd(6, "?")));
    const text = candidates.filter((characters) => characters.length === 1).join("");
    return { units: candidates.map((characters) => base64Unit(bothAlphabets(characters))), text };
  });
}

/** The characters whose six bits fit; "?" fits both. */
function charactersOf(pattern: string): string {
  const known = fitting.get(pattern);
  if (known !== undefined) return known;
  const fits = new RegExp(`^${pattern.replaceAll("?", ".")}$`);
  const found = [...alphabet]
    .filter((_, at) => fits.test(at.toString(2).padStart(6, "0")))
    .join("");
  fitting.set(pattern, found);
  return found;
}

const fitting = new Map<string, string>();

function bothAlphabets(characters: string): string {
  return [...new Set([...characters, ...urlSafe(characters)])].join("");
}

function urlSafe(text: string): string {
  return text.replaceAll("+", "-").replaceAll("/", "_");
}
