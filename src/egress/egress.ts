import type { GuestCalls } from "../agent/guest-calls.ts";

/** The host's end of a guest's network. */
export interface Egress {
  /** For `Agent.connect`. */
  readonly calls: Required<Pick<GuestCalls, "tcp" | "udp" | "dns" | "unmediated">>;
  /** Ends every flow and waits for them; the audit log is closed by whoever opened it. */
  close(): Promise<void>;
}
