import { getState, saveState } from "@actions/core";

/** What main leaves for post, written before the thing it speaks of is begun. */
export interface StepState {
  /** "" when nothing was started. */
  readonly workspace: string;
  readonly stateDir: string;
  readonly outputs: string;
  /** Name of the artifact that is still to be uploaded; "" when there is none, or none any more. */
  readonly upload: string;
  readonly retentionDays: string;
  /** Main ran to its end and left nothing, or left what it was asked to leave. */
  readonly done: boolean;
  /** The machine is to stay until now. */
  readonly keep: boolean;
  /** Mode that `/dev/kvm` had before we opened it; "" when we did not. */
  readonly kvmMode: string;
}

export function rememberStep(state: Partial<StepState>): void {
  for (const [name, value] of Object.entries(state)) saveState(`microagent-${name}`, String(value));
}

export function recalledStep(): StepState {
  const text = (name: keyof StepState) => getState(`microagent-${name}`);
  return {
    workspace: text("workspace"),
    stateDir: text("stateDir"),
    outputs: text("outputs"),
    upload: text("upload"),
    retentionDays: text("retentionDays"),
    done: text("done") === "true",
    keep: text("keep") === "true",
    kvmMode: text("kvmMode"),
  };
}
