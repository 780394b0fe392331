import { MicroagentError } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";

const pageBytes = 1 << 20;

/**
 * Keeps byte strings outside the JavaScript heap, addressed by one number. Half a million names
 * cost their bytes and nothing more. A string never straddles two pages.
 */
export class ByteStore {
  readonly #pages: Buffer[] = [];
  #used = pageBytes;

  /** Stores a latin1 string of at most 64 KiB and returns its address. */
  add(text: string): number {
    if (this.#used + text.length > pageBytes) {
      if ((this.#pages.length + 1) * pageBytes > limits.image.metadataBytesMax) {
        throw new MicroagentError(
          "image_hostile",
          `The image has more than ${limits.image.metadataBytesMax} bytes of names, links and attributes`,
        );
      }
      this.#pages.push(Buffer.allocUnsafeSlow(pageBytes));
      this.#used = 0;
    }
    const page = this.#pages.length - 1;
    const address = page * pageBytes + this.#used;
    this.#pages[page]?.write(text, this.#used, "latin1");
    this.#used += text.length;
    return address;
  }

  text(address: number, length: number): string {
    const at = address % pageBytes;
    return this.#page(address).toString("latin1", at, at + length);
  }

  copy(address: number, length: number, target: Buffer, targetAt: number): void {
    const at = address % pageBytes;
    this.#page(address).copy(target, targetAt, at, at + length);
  }

  equals(address: number, length: number, text: string): boolean {
    if (length !== text.length) return false;
    const page = this.#page(address);
    const at = address % pageBytes;
    for (let i = 0; i < length; i++) if (page[at + i] !== text.charCodeAt(i)) return false;
    return true;
  }

  /** Byte order, as `memcmp` with the shorter one first. */
  compare(addressA: number, lengthA: number, addressB: number, lengthB: number): number {
    const a = this.#page(addressA);
    const b = this.#page(addressB);
    const atA = addressA % pageBytes;
    const atB = addressB % pageBytes;
    const common = Math.min(lengthA, lengthB);
    for (let i = 0; i < common; i++) {
      const difference = (a[atA + i] ?? 0) - (b[atB + i] ?? 0);
      if (difference !== 0) return difference;
    }
    return lengthA - lengthB;
  }

  compareText(address: number, length: number, text: string): number {
    const page = this.#page(address);
    const at = address % pageBytes;
    const common = Math.min(length, text.length);
    for (let i = 0; i < common; i++) {
      const difference = (page[at + i] ?? 0) - text.charCodeAt(i);
      if (difference !== 0) return difference;
    }
    return length - text.length;
  }

  #page(address: number): Buffer {
    return this.#pages[Math.floor(address / pageBytes)] ?? emptyPage;
  }
}

const emptyPage = Buffer.alloc(0);
