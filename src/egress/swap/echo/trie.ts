/** Bytes after bytes. Nodes are shared between values, so nothing in them says which value is looked for. */
export interface Trie {
  readonly id: number;
  readonly next: Map<number, Trie>;
  accepts: boolean;
}

/** A byte, or one of several, at each place. */
type Sequence = readonly (readonly number[])[];

let made = 0;

export function trieOf(sequences: readonly Sequence[]): Trie {
  const root = newTrie();
  for (const sequence of sequences) add(root, sequence);
  return root;
}

function newTrie(): Trie {
  return { id: ++made, next: new Map(), accepts: false };
}

function add(node: Trie, sequence: Sequence): void {
  const [first, ...rest] = sequence;
  if (first === undefined) {
    node.accepts = true;
    return;
  }
  for (const byte of first) {
    const child = node.next.get(byte) ?? newTrie();
    node.next.set(byte, child);
    add(child, rest);
  }
}

/** The bytes of a text, each at its place. */
export function bytesOf(text: string): number[][] {
  return [...Buffer.from(text, "latin1")].map((byte) => [byte]);
}

/** The pairs of neighbours, as numbers, and the bytes at both ends, for whoever looks for places where a match may be. */
export interface Neighbours {
  readonly pairs: readonly number[];
  readonly firsts: readonly number[];
  readonly lasts: readonly number[];
}

const known = new WeakMap<Trie, Neighbours>();

export function neighboursIn(trie: Trie): Neighbours {
  const before = known.get(trie);
  if (before !== undefined) return before;
  const pairs = new Set<number>();
  const lasts = new Set<number>();
  const walk = (node: Trie) => {
    for (const [byte, child] of node.next) {
      if (child.accepts) lasts.add(byte);
      for (const following of child.next.keys()) pairs.add(byte * 256 + following);
      walk(child);
    }
  };
  walk(trie);
  const found = { pairs: [...pairs], firsts: [...trie.next.keys()], lasts: [...lasts] };
  known.set(trie, found);
  return found;
}
