import { randomBytes } from "node:crypto";

const adjectives =
  "able amber bold brave brisk calm clear clever cool crisp eager early fair fast fine firm fleet fond fresh glad gold green happy keen kind light lively lucky mellow merry mild neat noble plain proud quick quiet rapid ready ruby sharp silver smart solid steady still sunny swift tidy vivid warm wise".split(
    " ",
  );
const animals =
  "ant badger bat bear bee bison crab crane crow deer dove duck eagle eel elk falcon finch fox frog gecko goat goose hare hawk heron ibis jay koala lark lion lynx mole moose moth mouse newt otter owl panda perch pike puma quail raven robin seal shrew skunk snail stork swan tern toad trout vole wasp wolf wren yak".split(
    " ",
  );
const suffixAlphabet = "abcdefghijkmnpqrstuvwxyz23456789";

/** A workspace name nobody chose: `<prefix>-<adjective>-<animal>-<4 chars>`. */
export function freshName(prefix: string): string {
  const bytes = randomBytes(2);
  const pick = (list: readonly string[], at: number) => list[(bytes[at] ?? 0) % list.length] ?? "";
  return `${prefix}-${pick(adjectives, 0)}-${pick(animals, 1)}-${freshSuffix()}`;
}

/** A chosen name made one of a kind: `<name>-<4 chars>`, still a safe name. */
export function nameBeside(name: string): string {
  return `${name.slice(0, 58)}-${freshSuffix()}`;
}

function freshSuffix(): string {
  return Array.from(randomBytes(4), (byte) => suffixAlphabet[byte % suffixAlphabet.length]).join(
    "",
  );
}

/** Names that are safe as a file name, a workspace and a part of a host name. */
export const safeNamePattern: RegExp = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;

/** A random identifier: `byteCount` bytes as lower-case hexadecimal. */
export function randomHex(byteCount: number): string {
  return randomBytes(byteCount).toString("hex");
}
