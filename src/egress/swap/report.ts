import type { AuditEvent } from "../audit-event.ts";
import type { InterceptedFlow } from "../interceptor.ts";
import type { Report } from "./destination.ts";
import type { SwapRule } from "./rule.ts";
import { usageMeter } from "./usage.ts";

/** Puts what happens to the requests of one connection into its audit. */
export function reportTo(flow: InterceptedFlow, rule: SwapRule): Report {
  return {
    swapped: () => flow.audit(eventOf(flow, "egress_swap", rule.name)),
    limited: () =>
      flow.audit(
        eventOf(
          flow,
          "egress_swap_error",
          `${rule.name}: limited, a refused credential stays in use`,
        ),
      ),
    swapFailed: (error) =>
      flow.audit({
        ...eventOf(
          flow,
          "egress_swap_error",
          `${rule.name}: ${error.code}${error.details.limited === true ? ", limited" : ""}`,
        ),
        signal: "unresolved-secret-ref",
      }),
    refused: (refusal) =>
      flow.audit({
        ...eventOf(flow, "egress_deny", refusal.reason ?? ""),
        signal: refusal.signal,
      }),
    meter: (fields) =>
      usageMeter(fields, ({ model, inputTokens, outputTokens }) =>
        flow.audit({
          ...eventOf(flow, "egress_usage", rule.name),
          model,
          input_tokens: inputTokens,
          output_tokens: outputTokens,
        }),
      ),
  };
}

export function eventOf(
  flow: InterceptedFlow,
  event: AuditEvent["event"],
  reason: string,
): AuditEvent {
  return { event, host: flow.name, dst: "", reason };
}
