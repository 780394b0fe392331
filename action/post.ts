import { warning } from "@actions/core";
import { cleanUp } from "./clean-up.ts";
import { messageFor } from "./failure-message.ts";

// What is left to do never decides over the job.
try {
  await cleanUp();
} catch (error) {
  warning(messageFor(error));
}
process.exit(0);
