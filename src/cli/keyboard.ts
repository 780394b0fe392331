/** What a person or a program types into this process. */
export interface Keyboard {
  readonly isTerminal: boolean;
  /** Everything until its end; each piece is taken before the next is read. */
  read(): AsyncIterable<Uint8Array>;
  /** Gives every key to us, Ctrl-C included, until the returned function is called. */
  raw(): () => void;
  /** Rows and columns of the terminal that is written to. */
  size(): { readonly rows: number; readonly cols: number };
  onResize(listener: () => void): () => void;
  /** Lets the process end although nobody has read everything. */
  close(): void;
}

export function processKeyboard(): Keyboard {
  const { stdin, stdout } = process;
  stdin.on("error", () => {});
  return {
    isTerminal: stdin.isTTY === true,
    read: () => stdin as AsyncIterable<Uint8Array>,
    raw() {
      if (stdin.isTTY !== true) return () => {};
      stdin.setRawMode(true);
      return () => {
        stdin.setRawMode(false);
      };
    },
    size: () => ({ rows: stdout.rows || 24, cols: stdout.columns || 80 }),
    onResize(listener) {
      stdout.on("resize", listener);
      return () => {
        stdout.off("resize", listener);
      };
    },
    close() {
      stdin.destroy();
    },
  };
}
