import { readFileSync, writeFileSync } from "node:fs";

/** A right that ends by itself, kept in a file. */
export function grantLease(path: string, seconds: number): void {
  writeFileSync(path, `${Math.floor(Date.now() / 1000) + seconds}\n`);
}

export function hasLease(path: string): boolean {
  return Number(readFileSync(path, "utf8")) > Date.now() / 1000;
}
