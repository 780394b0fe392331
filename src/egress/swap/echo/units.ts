import { bytesOf, type Trie, trieOf } from "./trie.ts";

type Places = number[][];

/** Every way in which a server may write one character: as it is, in the other case, and escaped. */
export function characterUnit(byte: number): Trie {
  return cached(`character ${byte}`, () => [
    [lettersOf(byte)],
    ...escapesOf(byte),
    ...entitiesOf(byte),
  ]);
}

/** One character of base64, out of several where bits of its neighbours are in it. */
export function base64Unit(characters: string): Trie {
  const bytes = [...Buffer.from(characters, "latin1")];
  return cached(`base64 ${characters}`, () => [
    [bytes],
    ...bytes.filter((byte) => !isLetterOrDigit(byte)).flatMap(escapesOf),
    ...bytes.filter((byte) => !isLetterOrDigit(byte)).flatMap(entitiesOf),
  ]);
}

export function hexUnit(byte: number): Trie {
  return cached(`hex ${byte}`, () => [hexOf(byte)]);
}

export function decimalUnit(byte: number): Trie {
  const text = String(byte);
  return cached(`decimal ${byte}`, () => [bytesOf(text), bytesOf(text.padStart(3, "0"))]);
}

const blanksMax = 16;

/** NULs of UTF-16 and UTF-32, and line ends of quoted-printable. */
export const characterSeparators = trieOf(["\0", "\0\0\0", "=\n", "=\r\n"].map(bytesOf));

/** Line ends, as they are or escaped, with the indentation that follows. */
export const base64Separators = trieOf([
  ...["\0", "\0\0\0", "%0A", "%0D%0A", "%0a", "%0d%0a", "&#10;", "&#13;&#10;", "&#xA;"].map(
    bytesOf,
  ),
  ...["\n", "\r\n", "=\n", "=\r\n", "\\n", "\\r\\n", "\\\\n", "\\\\r\\\\n", "\\u000a"].flatMap(
    indented,
  ),
]);

export const hexSeparators = trieOf([
  ...[
    "\0",
    "\0\0\0",
    " ",
    "  ",
    ":",
    "-",
    ",",
    ", ",
    "\\x",
    "\\\\x",
    "0x",
    " 0x",
    ",0x",
    ", 0x",
  ].map(bytesOf),
  ...["\n", "\r\n", "\\n", "\\r\\n"].flatMap(indented),
]);

export const decimalSeparators = trieOf([
  ...[",", ", ", " ", "\\n"].map(bytesOf),
  ...[",\n", ",\r\n", "\n", ",\\n"].flatMap(indented),
]);

function indented(lineEnd: string): Places[] {
  const counts = Array.from({ length: blanksMax }, (_, at) => at + 1);
  const blanks = ["", ...[" ", "\t"].flatMap((one) => counts.map((count) => one.repeat(count)))];
  return blanks.map((blank) => bytesOf(`${lineEnd}${blank}`));
}

/** URLs (also twice), JSON, JavaScript, Python, C, shells, regular expressions and quoted-printable. */
function escapesOf(byte: number): Places[] {
  const hex = hexOf(byte);
  const octal = bytesOf(byte.toString(8).padStart(3, "0"));
  const marks = (most: number) => Array.from({ length: most }, (_, at) => "\\".repeat(at + 1));
  const behind = (mark: string): Places[] => [
    [...bytesOf(`${mark}u00`), ...hex],
    [...bytesOf(`${mark}u{`), ...hex, ...bytesOf("}")],
    [...bytesOf(`${mark}U000000`), ...hex],
    [...bytesOf(`${mark}x`), ...hex],
    [...bytesOf(mark), ...octal],
  ];
  return [
    [...bytesOf("%"), ...hex],
    [...bytesOf("%25"), ...hex],
    [...bytesOf("="), ...hex],
    ...marks(4).flatMap(behind),
    // JSON in JSON in JSON has seven of them.
    ...(isLetterOrDigit(byte) ? [] : marks(8).map((mark) => [...bytesOf(mark), [byte]])),
  ];
}

const entityNames: Readonly<Record<string, readonly string[]>> = {
  "&": ["amp", "AMP"],
  "<": ["lt", "LT"],
  ">": ["gt", "GT"],
  '"': ["quot", "QUOT"],
  "'": ["apos"],
  "/": ["sol"],
  "\\": ["bsol"],
  "+": ["plus"],
  "=": ["equals"],
  _: ["lowbar"],
  "-": ["hyphen", "dash"],
  ".": ["period"],
  ":": ["colon"],
  ";": ["semi"],
  "@": ["commat"],
  $: ["dollar"],
  "#": ["num"],
  "%": ["percnt"],
  "!": ["excl"],
  "*": ["ast"],
  "~": ["tilde"],
  "`": ["grave"],
};

/** HTML and XML, also escaped twice. */
function entitiesOf(byte: number): Places[] {
  const names = entityNames[String.fromCharCode(byte)] ?? [];
  const zeros = ["", "0", "00", "000", "0000"];
  return ["&", "&amp;"].flatMap((mark): Places[] => [
    ...names.map((name) => bytesOf(`${mark}${name};`)),
    ...zeros.map((zero) => bytesOf(`${mark}#${zero}${byte};`)),
    ...zeros.flatMap((zero) =>
      ["x", "X"].map((x) => [...bytesOf(`${mark}#${x}${zero}`), ...hexOf(byte), ...bytesOf(";")]),
    ),
  ]);
}

function hexOf(byte: number): Places {
  return [...byte.toString(16).padStart(2, "0")].map((digit) => lettersOf(digit.charCodeAt(0)));
}

function lettersOf(byte: number): number[] {
  const text = String.fromCharCode(byte);
  return [...new Set([text, text.toLowerCase(), text.toUpperCase()])].map((one) =>
    one.charCodeAt(0),
  );
}

function isLetterOrDigit(byte: number): boolean {
  return /[A-Za-z0-9]/.test(String.fromCharCode(byte));
}

const units = new Map<string, Trie>();

function cached(key: string, sequences: () => Places[]): Trie {
  const before = units.get(key);
  if (before !== undefined) return before;
  const made = trieOf(sequences());
  units.set(key, made);
  return made;
}
