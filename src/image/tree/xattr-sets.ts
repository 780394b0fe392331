import { createHash } from "node:crypto";
import { MicroagentError } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";

/** One attribute: its full name as a byte string, its raw value. */
export interface Xattr {
  readonly name: string;
  readonly value: Uint8Array;
}

/** Stores each distinct set of attributes once; set 0 is the empty one. */
export class XattrSets {
  readonly #sets: (readonly Xattr[])[] = [[]];
  readonly #byDigest = new Map<string, number>();
  #bytes = 0;

  /** The number of a set; the order of its attributes does not matter. */
  add(xattrs: readonly Xattr[]): number {
    if (xattrs.length === 0) return 0;
    const sorted = [...xattrs].sort((a, b) => (a.name < b.name ? -1 : 1));
    const hash = createHash("sha256");
    for (const { name, value } of sorted) {
      hash.update(`${name.length} ${value.length} ${name}`, "latin1").update(value);
      this.#bytes += name.length + value.length;
    }
    const digest = hash.digest("base64");
    const known = this.#byDigest.get(digest);
    if (known !== undefined) {
      for (const { name, value } of sorted) this.#bytes -= name.length + value.length;
      return known;
    }
    if (this.#bytes > limits.image.metadataBytesMax) {
      throw new MicroagentError(
        "image_hostile",
        `The image has more than ${limits.image.metadataBytesMax} bytes of extended attributes`,
      );
    }
    this.#sets.push(sorted);
    this.#byDigest.set(digest, this.#sets.length - 1);
    return this.#sets.length - 1;
  }

  get(set: number): readonly Xattr[] {
    return this.#sets[set] ?? [];
  }
}
