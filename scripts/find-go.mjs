// @ts-check
import { existsSync } from "node:fs";
import { findProgram } from "./host-packages.mjs";
import { ScriptFailure } from "./steps.mjs";

/** The Go toolchain: on PATH, or where its own archive is unpacked by convention; null without one. */
export function goPath() {
  const conventional = "/usr/local/go/bin/go";
  return findProgram("go") ?? (existsSync(conventional) ? conventional : null);
}

/** As `goPath`, but its absence ends the script. */
export function findGo() {
  const go = goPath();
  if (go !== null) return go;
  throw new ScriptFailure(
    "The Go toolchain is not installed, and the guest agent is built with it",
    "sudo apt-get install golang-go, or the toolchain from the Go project's download page",
  );
}
