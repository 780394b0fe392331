import { isHostPort } from "../schema/network-checks.ts";
import { flagError } from "./flag-error.ts";

/** `port=host:port` of `--mediation`. */
export function parseMediationFlag(text: string): {
  readonly port: number;
  readonly target: string;
} {
  const wanted = "port=host:port such as 2048=127.0.0.1:9900";
  const match = /^(\d{1,10})=(.+)$/s.exec(text);
  const port = Number(match?.[1]);
  const target = match?.[2] ?? "";
  if (!(port >= 1 && port < 0xffff_ffff)) throw flagError("--mediation", text, wanted);
  const fault = isHostPort(target);
  if (fault !== null) throw flagError("--mediation", text, wanted, { fault });
  return { port, target };
}
