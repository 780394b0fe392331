import { utimes } from "node:fs/promises";
import { livenessOf, type ProcessIdentity } from "./process-identity.ts";

/**
 * A sign of life for observers that cannot look at our pid: other containers and other hosts that
 * share the state directory. The owner touches its file; whoever cannot judge the pid judges the age.
 */
const beatMs = 5_000;
const foreignStaleMs = 60_000;

/** Touches `path` now and then until the returned function is called; never keeps the process alive. */
export function startHeartbeat(path: string): () => void {
  const timer = setInterval(() => {
    const now = new Date();
    utimes(path, now, now).catch(() => {});
  }, beatMs);
  timer.unref();
  return () => clearInterval(timer);
}

/**
 * Whether the owner of a file is gone. Our own pid name space answers exactly; a foreign or
 * unreadable owner is gone when the file was not touched for a minute.
 */
export function isOwnerGone(owner: ProcessIdentity | null, touchedAtMs: number): boolean {
  const liveness = owner === null ? "foreign" : livenessOf(owner);
  if (liveness !== "foreign") return liveness === "dead";
  return Date.now() - touchedAtMs > foreignStaleMs;
}
