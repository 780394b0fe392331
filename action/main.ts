import { setFailed } from "@actions/core";
import { messageFor } from "./failure-message.ts";
import { runStep } from "./run-step.ts";

try {
  await runStep();
} catch (error) {
  setFailed(messageFor(error));
}
// An idle connection of the toolkit must not hold the job.
process.exit();
