import { limits } from "../../base/limits.ts";
import { badAnswer } from "./codings.ts";
import type { Refusal } from "./refusal.ts";

/** Counts the answers before one answer (1xx), which have no end of their own; `refuse` is called once there are too many. */
export function interimCount(refuse: (refusal: Refusal) => void): () => void {
  let count = 0;
  return () => {
    count += 1;
    if (count !== limits.egress.interimAnswersMax + 1) return;
    refuse(
      badAnswer(`sent more than ${limits.egress.interimAnswersMax} answers before the answer`),
    );
  };
}
