import { isIP } from "node:net";
import { z } from "zod";
import { jsonOrNull } from "../base/json.ts";
import { initialWindowBytes } from "../channel/frame.ts";
import { printable } from "../channel/printable.ts";
import type { DnsCall, RefusalCode, TcpCall, UdpCall, UnmediatedCall } from "./guest-calls.ts";

/** What the guest asked for with the first line of a stream. */
export type GuestCall =
  | ({ readonly op: "tcp"; readonly window?: number } & TcpCall)
  | ({ readonly op: "udp" } & UdpCall)
  | ({ readonly op: "dns" } & DnsCall)
  | ({ readonly op: "unmediated" } & UnmediatedCall)
  | { readonly op: "secret"; readonly name: string }
  | { readonly op: "mediation" };

/** Why a line is no call. */
export interface BadCall {
  readonly code: RefusalCode;
  readonly message: string;
}

const address = z
  .string()
  .max(45)
  .refine((text) => isIP(text) !== 0 && !text.includes("%"));
const port = z.int().min(1).max(65535);
/** What the guest has room for, where that is less than every stream starts with. */
const window = z.int().min(4096).max(initialWindowBytes).optional();
const flow = { dst: address, port, src_port: z.int().min(0).max(65535) };

const schemas = {
  tcp: z.object({ op: z.literal("tcp"), ...flow, window }),
  udp: z.object({ op: z.literal("udp"), ...flow }),
  dns: z.object({ op: z.literal("dns"), dst: address, transport: z.literal("udp") }),
  unmediated: z.object({
    op: z.literal("unmediated"),
    protocol: z.string().max(64),
    dst: z.string().max(64),
    count: z.int().min(0),
  }),
  secret: z.object({ op: z.literal("secret"), name: z.string().min(1).max(255) }),
  mediation: z.object({ op: z.literal("mediation") }),
} as const;

/** Reads the line of a stream the guest opened; nothing in it is believed but its shape. */
export function parseGuestCall(line: string): GuestCall | BadCall {
  const value = parseObject(line);
  if (value === null) return { code: "failed", message: "Wanted one JSON object and a newline" };
  const name = value.op;
  if (typeof name !== "string" || !Object.hasOwn(schemas, name)) {
    return { code: "unsupported", message: `No operation "${printable(String(name), 32)}"` };
  }
  const parsed = schemas[name as keyof typeof schemas].safeParse(value);
  if (!parsed.success) {
    const where = parsed.error.issues[0]?.path.join(".") ?? "";
    return { code: "failed", message: `The value of "${printable(where, 32)}" is not acceptable` };
  }
  const call = parsed.data;
  switch (call.op) {
    case "tcp": {
      const asked = call.window === undefined ? {} : { window: call.window };
      return { op: "tcp", dst: call.dst, port: call.port, srcPort: call.src_port, ...asked };
    }
    case "udp":
      return { op: call.op, dst: call.dst, port: call.port, srcPort: call.src_port };
    case "unmediated":
      return { ...call, protocol: printable(call.protocol, 64), dst: printable(call.dst, 64) };
    default:
      return call;
  }
}

function parseObject(line: string): Record<string, unknown> | null {
  const value = jsonOrNull(line);
  const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
  return isObject ? (value as Record<string, unknown>) : null;
}
