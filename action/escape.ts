import { visibleText } from "../src/index.ts";

/**
 * Foreign text for the job's summary: HTML-escaped, on one line, of bounded length, with no control
 * characters and nothing that Markdown would make a link, an image or a mention of.
 */
export function summaryText(text: string, max = 300): string {
  const line = text.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\s]+/gu, " ").trim();
  const cut = line.length > max ? `${line.slice(0, max)}…` : line;
  return cut.replace(/[&<>"'`*_[\]()#!|~@\\:/]/g, (mark) => `&#${mark.charCodeAt(0)};`);
}

/** Lines of foreign text as they are, for `<pre>`: only tags and entities are taken away. */
export function summaryBlock(text: string): string {
  return visibleText(text)
    .replace(/[&<>"'`*_[\]#!|~@]/g, (mark) => `&#${mark.charCodeAt(0)};`)
    .replace(/\n(?=\n)/g, "\n&#8203;");
}
