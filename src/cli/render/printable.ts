/** Control characters of foreign text must not reach the user's terminal. */
export { withoutControls as printable } from "../../base/foreign-text.ts";
