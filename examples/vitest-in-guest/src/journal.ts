import { appendFileSync, readFileSync, statSync, truncateSync } from "node:fs";

/** Appends lines to a file; a line that the disk has no room for is not there at all. */
export class Journal {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
    appendFileSync(path, "");
  }

  /** False when there is no room. */
  append(line: string): boolean {
    const { size } = statSync(this.#path);
    try {
      appendFileSync(this.#path, `${line}\n`);
      return true;
    } catch (error) {
      // What did fit of the line would be read as a line of its own.
      truncateSync(this.#path, size);
      if ((error as NodeJS.ErrnoException).code === "ENOSPC") return false;
      throw error;
    }
  }

  lines(): string[] {
    return readFileSync(this.#path, "utf8").split("\n").slice(0, -1);
  }
}
