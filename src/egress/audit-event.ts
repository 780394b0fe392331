/** Everything the audit can say happened. */
export const auditEventNames = [
  "egress_listen",
  "egress_allow",
  "egress_close",
  "egress_deny",
  "egress_internal_deny",
  "egress_dial_error",
  "egress_origdst_error",
  "egress_mitm_handshake_error",
  "egress_mitm_upstream_error",
  "egress_mitm_enabled",
  "egress_dns_allow",
  "egress_dns_deny",
  "egress_dns_reply_error",
  "egress_udp_allow",
  "egress_udp_deny",
  "egress_udp_close",
  "egress_udp_internal_deny",
  "egress_udp_reply_error",
  "egress_swap",
  "egress_swap_error",
  "egress_usage",
  "egress_cap_exceeded",
  "egress_loop_guard",
] as const;

export type AuditEventName = (typeof auditEventNames)[number];

/** Why a flow stands out; closed. */
export const egressSignals = [
  "denied",
  "direct-ip-no-sni",
  "name-destination-mismatch",
  "malformed-name",
  "quic-udp443",
  "foreign-resolver",
  "resolver-denied",
  "dns-over-https",
  "unresolved-secret-ref",
  "unmediatable-protocol",
  "credential-echo",
] as const;

export type EgressSignal = (typeof egressSignals)[number];

/** One decision or fact. Texts may come from the guest: the log bounds and cleans them. Never a secret. */
export interface AuditEvent {
  readonly event: AuditEventName;
  /** The name the flow was about, "" when there is none. */
  readonly host: string;
  /** `address:port`, or the question's type for DNS; "" when there is none. */
  readonly dst: string;
  readonly reason: string;
  /** No list names the host. */
  readonly unlisted?: boolean;
  /** The destination is an inside address. */
  readonly internal?: boolean;
  readonly signal?: EgressSignal | undefined;
  /** What belongs to one flow has one of these. */
  readonly operation_id?: string | undefined;
  readonly bytes_sent?: number | undefined;
  readonly bytes_received?: number | undefined;
  /** The entry of a list that would have let through what was denied; "" when none would. Left out: the line itself says it. */
  readonly allow_with?: string | undefined;
  /** How often, where one line stands for several. */
  readonly count?: number | undefined;
  /** A model that answered, as its provider names it, and the tokens that the provider counted. */
  readonly model?: string | undefined;
  readonly input_tokens?: number | undefined;
  readonly output_tokens?: number | undefined;
}

/** Whose decisions these are. */
export interface AuditIdentity {
  /** The workspace. */
  readonly runtimeId: string;
  /** One life of its machine. */
  readonly sessionId: string;
}

/** A line of the log. */
export interface AuditRecord extends AuditEvent {
  /** RFC 3339, UTC, milliseconds. */
  readonly ts: string;
  readonly runtime_id: string;
  readonly session_id: string;
  /** `<8 hex of this log's opening>-<number of the line, from 1>`. */
  readonly event_id: string;
}
