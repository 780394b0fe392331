import { referenceInvalid } from "./invalid.ts";
import type { MmdebstrapReference } from "./kinds.ts";
import { splitDigest } from "./path.ts";

/** Package sets that give a root with a shell; the others of mmdebstrap give none. */
export const mmdebstrapVariants = [
  "essential",
  "apt",
  "required",
  "minbase",
  "buildd",
  "important",
  "debootstrap",
  "standard",
] as const;

const suitePattern = /^[a-z][a-z0-9.-]{0,63}$/;
const packagePattern = /^[a-z0-9][a-z0-9+.-]+(?::[a-z0-9]+)?(?:=[A-Za-z0-9.+:~-]+)?$/;
const componentPattern = /^[a-z][a-z0-9-]*$/;
const keys = ["include", "variant", "components"] as const;

/** Reads `mmdebstrap:SUITE[?include=a,b][&variant=minbase][&components=main,contrib][@sha256:<hex>]`. */
export function parseMmdebstrapReference(whole: string): MmdebstrapReference {
  const { end, digest } = splitDigest(whole, 0);
  const text = whole.slice(0, end);
  const start = "mmdebstrap:".length;
  const mark = text.indexOf("?", start);
  const suite = text.slice(start, mark < 0 ? undefined : mark);
  if (!suitePattern.test(suite)) {
    throw referenceInvalid(
      text,
      start,
      suite === "" ? "a suite is missing" : `"${suite}" is not the name of a suite`,
      "Write it like: mmdebstrap:bookworm?include=python3",
    );
  }
  const include = new Set<string>();
  let variant: string = "minbase";
  let components: readonly string[] = ["main"];
  for (const part of mark < 0 ? [] : queryParts(text, mark + 1)) {
    switch (part.key) {
      case "include":
        for (const name of listOf(text, part, packagePattern, "the name of a package")) {
          include.add(name);
        }
        break;
      case "components":
        components = [...new Set(listOf(text, part, componentPattern, "the name of a component"))];
        break;
      case "variant":
        if (!(mmdebstrapVariants as readonly string[]).includes(part.value)) {
          throw referenceInvalid(
            text,
            part.valueAt,
            `"${part.value}" is not a variant`,
            `Use one of: ${mmdebstrapVariants.join(" ")}`,
          );
        }
        variant = part.value;
        break;
    }
  }
  return {
    transport: "mmdebstrap",
    suite,
    include: [...include].sort(),
    variant,
    components,
    digest,
  };
}

interface QueryPart {
  readonly key: (typeof keys)[number];
  readonly value: string;
  readonly valueAt: number;
}

function* queryParts(text: string, start: number): Generator<QueryPart> {
  let at = start;
  for (const part of text.slice(start).split("&")) {
    const equals = part.indexOf("=");
    const name = equals < 0 ? part : part.slice(0, equals);
    const key = keys.find((known) => known === name);
    if (key === undefined) {
      throw referenceInvalid(
        text,
        at,
        name === "" ? "a parameter is missing" : `parameter "${name}" is not known`,
        `Use: ${keys.join(", ")}`,
      );
    }
    if (equals < 0 || equals === part.length - 1) {
      throw referenceInvalid(text, at + part.length, `parameter "${name}" needs a value`);
    }
    yield { key, value: part.slice(equals + 1), valueAt: at + equals + 1 };
    at += part.length + 1;
  }
}

function* listOf(
  text: string,
  part: QueryPart,
  pattern: RegExp,
  wanted: string,
): Generator<string> {
  let at = part.valueAt;
  for (const item of part.value.split(",")) {
    if (!pattern.test(item)) throw referenceInvalid(text, at, `"${item}" is not ${wanted}`);
    yield item;
    at += item.length + 1;
  }
}
