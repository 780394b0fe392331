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
  const bytes = randomBytes(6);
  const pick = (list: readonly string[], at: number) => list[(bytes[at] ?? 0) % list.length] ?? "";
  let suffix = "";
  for (let i = 2; i < 6; i++) suffix += suffixAlphabet[(bytes[i] ?? 0) % suffixAlphabet.length];
  return `${prefix}-${pick(adjectives, 0)}-${pick(animals, 1)}-${suffix}`;
}

/** Names that are safe as a file name, a workspace and a part of a host name. */
export const safeNamePattern: RegExp = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;

/** A random identifier: `byteCount` bytes as lower-case hexadecimal. */
export function randomHex(byteCount: number): string {
  return randomBytes(byteCount).toString("hex");
}
