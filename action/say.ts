import { info } from "@actions/core";
import { neutralLine } from "./neutral-text.ts";

/** Says something in the job's log. Parts of it may be somebody else's words: the runner takes no command from them. */
export function say(text: string): void {
  for (const line of text.split(/\r\n|\n|\r/)) info(neutralLine(line));
}
