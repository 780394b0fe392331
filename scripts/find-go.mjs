// @ts-check
import { existsSync } from "node:fs";
import { findProgram } from "./host-packages.mjs";
import { ScriptFailure } from "./steps.mjs";

/** The Go toolchain: on PATH, or where its own archive is unpacked by convention. */
export function findGo() {
  const conventional = "/usr/local/go/bin/go";
  const go = findProgram("go") ?? (existsSync(conventional) ? conventional : null);
  if (go !== null) return go;
  throw new ScriptFailure(
    "The Go toolchain is not installed, and the guest agent is built with it",
    "sudo apt-get install golang-go, or the toolchain from the Go project's download page",
  );
}
