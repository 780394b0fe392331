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
  return text
    .replace(/\r\n?/g, "\n")
    .replace(/(?!\n|\t)[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, "\ufffd")
    .replace(/[&<>"'`*_[\]#!|~@]/g, (mark) => `&#${mark.charCodeAt(0)};`)
    .replace(/\n(?=\n)/g, "\n&#8203;");
}

/** Text without what a terminal or a log would act on. */
export function plainText(text: string): string {
  const [esc, bell] = [String.fromCharCode(0x1b), String.fromCharCode(0x07)];
  const sequence = new RegExp(
    `${esc}(?:\\[[0-?]*[ -/]*[@-~]|\\][^${esc}${bell}\\n]*(?:${bell}|${esc}\\\\)?|.)?`,
    "g",
  );
  return text
    .replace(sequence, "")
    .replace(/\r\n?/g, "\n")
    .replace(/(?!\n|\t)\p{Cc}/gu, "\ufffd");
}
