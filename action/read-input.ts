import { getInput } from "@actions/core";
import { type InputName, inputDeclarations } from "./inputs.ts";

/** An input as it was given; its default where the runner was told none. */
export function readInput(name: InputName): string {
  const given = getInput(name, { trimWhitespace: false });
  if (given !== "") return given;
  return inputDeclarations.find((each) => each.name === name)?.default ?? "";
}
