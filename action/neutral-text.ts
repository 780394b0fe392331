import { plainText } from "../src/index.ts";

/**
 * A line of foreign text as the runner's log may have it: one line, no control characters besides tab and
 * colours, and nothing that the runner reads as a command. It looks for `::name::` where a line begins and
 * for `##[name]` anywhere, so a space goes into the marks of both.
 */
export function neutralLine(line: string): string {
  return withoutControls(line)
    .replace(/##(?=\[)/g, "## ")
    .replace(commandStart, "$1: ");
}

const esc = String.fromCharCode(0x1b);
const colour = new RegExp(`(${esc}\\[[0-9;:]*m)`);
/** A reader that drops colours first would find a command behind them. */
const commandStart = new RegExp(`^((?:[\\s\\u200b]|${esc}\\[[0-9;:]*m)*):(?=:)`);

/** Keeps colours, drops every other terminal sequence, and shows what else would act as replaced. */
function withoutControls(line: string): string {
  // Every other part is a colour.
  return line
    .split(colour)
    .map((part, at) =>
      at % 2 === 1 ? part : plainText(part).replace(/[\n\p{Zl}\p{Zp}]/gu, "\ufffd"),
    )
    .join("");
}

/** Characters of a line that are shown in one piece. */
const lineLength = 16 * 1024;

/**
 * Cuts a stream of bytes into lines as the runner would: at line feeds, and at carriage returns on their
 * own. A line that does not end is cut where it is too long.
 */
export class LineCutter {
  readonly #decoder = new TextDecoder("utf-8");
  #rest = "";

  /** The lines that are whole now, without their ends. */
  push(bytes: Uint8Array): string[] {
    return this.#cut(this.#decoder.decode(bytes, { stream: true }), false);
  }

  /** What is left when no more comes. */
  end(): string[] {
    return this.#cut(this.#decoder.decode(), true);
  }

  #cut(text: string, last: boolean): string[] {
    const whole = this.#rest + text;
    // The carriage return at the end may be the first half of a line end.
    const held = !last && whole.endsWith("\r") ? 1 : 0;
    const lines = whole.slice(0, whole.length - held).split(/\r\n|\n|\r/);
    this.#rest = (lines.pop() ?? "") + whole.slice(whole.length - held);
    if (last && this.#rest !== "") {
      lines.push(this.#rest);
      this.#rest = "";
    }
    while (this.#rest.length > lineLength) {
      lines.push(this.#rest.slice(0, lineLength));
      this.#rest = this.#rest.slice(lineLength);
    }
    return lines.flatMap(pieces);
  }
}

function pieces(line: string): string[] {
  if (line.length <= lineLength) return [line];
  const cut: string[] = [];
  for (let at = 0; at < line.length; at += lineLength) cut.push(line.slice(at, at + lineLength));
  return cut;
}
