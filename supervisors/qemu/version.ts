/** Major number of a version text, 0 where there is none. */
export function majorOf(version: string): number {
  return Number.parseInt(version, 10) || 0;
}

/** The version in the first line of `--version`, null when it is not QEMU's. */
export function parseVersion(output: string): string | null {
  return /^QEMU emulator version (\d+\.\d+(?:\.\d+)?)/m.exec(output)?.[1] ?? null;
}
