import {
  type Alias,
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  type Node,
  type Pair,
  type YAMLMap,
} from "yaml";
import { limits } from "../../base/limits.ts";
import { type FieldPath, pathKey, pathText } from "../field-path.ts";
import { oneLine } from "../printable.ts";
import type { Complaint, FieldRange, SourceRange } from "../source.ts";

/** A YAML document as plain values, with the place of each. */
export interface Walked {
  readonly value: unknown;
  readonly fields: ReadonlyMap<string, FieldRange>;
  readonly complaints: readonly {
    readonly range: SourceRange;
    readonly path: string;
    readonly complaint: Complaint;
  }[];
}

/** What the walk has to know of the schema. */
export interface FieldKinds {
  /** Numbers and booleans are taken as the text they were written as. */
  readonly plainScalar: (path: FieldPath) => boolean;
  /** What stands there is never named in a complaint. */
  readonly secret: (path: FieldPath) => boolean;
}

/**
 * Turns a document into plain values. Aliases and merge keys (`<<`) are expanded, within limits;
 * duplicate and unusable keys are complained about.
 */
export function walkDocument(document: Document.Parsed, fields: FieldKinds): Walked {
  const walker = new Walker(fields, aliasTargets(document.contents));
  const value = document.contents === null ? undefined : walker.value(document.contents, []);
  return { value, fields: walker.fields, complaints: walker.complaints };
}

type ParsedPair = Pair<Node | null, Node | null>;

class Walker {
  readonly fields = new Map<string, FieldRange>();
  readonly complaints: { range: SourceRange; path: string; complaint: Complaint }[] = [];
  readonly #kinds: FieldKinds;
  readonly #targets: ReadonlyMap<Alias, Node>;
  readonly #open = new Set<Node>();
  #aliases = 0;
  #nodes = 0;
  #stopped = false;

  constructor(kinds: FieldKinds, targets: ReadonlyMap<Alias, Node>) {
    this.#kinds = kinds;
    this.#targets = targets;
  }

  value(node: Node | null, path: FieldPath, key: SourceRange | null = null): unknown {
    if (this.#stopped || node === null) return null;
    if (++this.#nodes > limits.spec.nodesMax) {
      return this.#stop(
        node,
        path,
        `The file has more than ${limits.spec.nodesMax} values: wanted a smaller one`,
      );
    }
    if (isAlias(node)) return this.value(this.#targetOf(node, path), path, key);
    this.fields.set(pathKey(path), { key, value: rangeOf(node) });
    this.#open.add(node);
    try {
      if (isMap(node)) return this.#mapping(node, path);
      if (isSeq(node)) {
        return node.items.map((item, index) => this.value(item as Node | null, [...path, index]));
      }
      return isScalar(node) ? this.#scalar(node, path) : null;
    } finally {
      this.#open.delete(node);
    }
  }

  #scalar(node: { value: unknown; source?: string }, path: FieldPath): unknown {
    const plain = typeof node.value === "number" || typeof node.value === "boolean";
    if (plain && node.source !== undefined && this.#kinds.plainScalar(path)) return node.source;
    return node.value;
  }

  #targetOf(node: Alias, path: FieldPath): Node | null {
    const target = this.#targets.get(node);
    if (target === undefined) {
      this.#complain(rangeOf(node), path, {
        sentence: `Alias "*${oneLine(node.source)}" has no anchor before it: wanted "&${oneLine(node.source)}" on an earlier value`,
      });
      return null;
    }
    if (this.#open.has(target)) {
      this.#complain(rangeOf(node), path, {
        sentence: `Alias "*${oneLine(node.source)}" stands inside its own anchor: wanted a value that ends`,
      });
      return null;
    }
    if (++this.#aliases > limits.spec.aliasCountMax) {
      this.#stop(
        node,
        path,
        `Aliases expand more than ${limits.spec.aliasCountMax} times: wanted fewer`,
      );
      return null;
    }
    return target;
  }

  #mapping(node: YAMLMap, path: FieldPath): Record<string, unknown> {
    const result: Record<string, unknown> = {};
    for (const [name, pair] of this.#pairsOf(node, path)) {
      const inner = [...path, name];
      const range = rangeOf(pair.key ?? node);
      // An empty value has no node of its own; its place is the key.
      if (pair.value === null) this.fields.set(pathKey(inner), { key: range, value: range });
      result[name] = this.value(pair.value, inner, range);
    }
    return result;
  }

  /** The pairs of a mapping by key: its own first, then those of its merge keys it does not set. */
  #pairsOf(node: YAMLMap, path: FieldPath): Map<string, ParsedPair> {
    const pairs = new Map<string, ParsedPair>();
    const merges: ParsedPair[] = [];
    for (const pair of node.items as ParsedPair[]) {
      if (isScalar(pair.key) && pair.key.value === "<<" && pair.key.type === "PLAIN") {
        merges.push(pair);
        continue;
      }
      const name = this.#keyOf(pair, node, path);
      if (name === null) continue;
      if (pairs.has(name)) {
        this.#complain(rangeOf(pair.key ?? node), [...path, name], {
          sentence: `Key "${oneLine(name)}" is set twice${path.length === 0 ? "" : ` in "${pathText(path)}"`}: wanted it once`,
        });
      } else {
        pairs.set(name, pair);
      }
    }
    for (const merge of merges) {
      for (const target of this.#mergeTargets(merge, path)) {
        this.#open.add(target);
        for (const [name, pair] of this.#pairsOf(target, path)) {
          if (!pairs.has(name)) pairs.set(name, pair);
        }
        this.#open.delete(target);
      }
    }
    return pairs;
  }

  /** The mappings a merge key (`<<`) names: one, or a list of them. */
  #mergeTargets(merge: ParsedPair, path: FieldPath): YAMLMap[] {
    const sources = isSeq(merge.value) ? (merge.value.items as (Node | null)[]) : [merge.value];
    const targets: YAMLMap[] = [];
    for (const source of sources) {
      const target = isAlias(source) ? this.#targetOf(source, path) : source;
      if (isMap(target)) targets.push(target);
      else if (target !== null || source === null) {
        this.#complain(rangeOf(source ?? merge.key ?? merge.value), path, {
          sentence:
            'A merge key ("<<") has a value that is no mapping: wanted an alias of a mapping',
        });
      }
    }
    return targets;
  }

  #keyOf(pair: ParsedPair, map: YAMLMap, path: FieldPath): string | null {
    const { key } = pair;
    const name = isScalar(key)
      ? typeof key.value === "string"
        ? key.value
        : (key.source ?? "")
      : null;
    if (name !== null && name !== "" && name !== "__proto__") return name;
    this.#complain(rangeOf(key ?? map), path, {
      sentence:
        name === "__proto__"
          ? 'Key "__proto__" cannot be used: wanted another name'
          : "A key is not a text: wanted a plain name before the colon",
    });
    return null;
  }

  #stop(node: Node, path: FieldPath, sentence: string): null {
    this.#stopped = true;
    this.#complain(rangeOf(node), path, { sentence });
    return null;
  }

  #complain(range: SourceRange, path: FieldPath, complaint: Complaint): void {
    if (this.complaints.length >= limits.spec.problemsMax) return;
    const secretAt = path.findIndex((_, index) => this.#kinds.secret(path.slice(0, index + 1)));
    const shown = secretAt < 0 ? path : path.slice(0, secretAt + 1);
    // Below a secret even a key's name may be one.
    const sentence =
      shown.length < path.length
        ? "A value here is not what belongs here: wanted one plain text"
        : complaint.sentence;
    this.complaints.push({ range, path: pathText(shown), complaint: { ...complaint, sentence } });
  }
}

function rangeOf(node: Node | null): SourceRange {
  const [start, end] = node?.range ?? [0, 0, 0];
  return { start, end: Math.max(end, start + 1) };
}

/** What each alias stands for: the last value before it that carries its anchor. */
function aliasTargets(root: Node | null): ReadonlyMap<Alias, Node> {
  const anchors = new Map<string, Node>();
  const targets = new Map<Alias, Node>();
  const see = (node: Node | null): void => {
    if (node === null) return;
    if (isAlias(node)) {
      const target = anchors.get(node.source);
      if (target !== undefined) targets.set(node, target);
      return;
    }
    if ("anchor" in node && typeof node.anchor === "string") anchors.set(node.anchor, node);
    if (isSeq(node)) for (const item of node.items) see(item as Node | null);
    if (isMap(node)) {
      for (const pair of node.items as ParsedPair[]) {
        see(pair.key);
        see(pair.value);
      }
    }
  };
  see(root);
  return targets;
}
