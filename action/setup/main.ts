import { setFailed } from "@actions/core";
import { messageFor } from "../failure-message.ts";
import { setUp } from "./set-up.ts";

try {
  await setUp();
} catch (error) {
  setFailed(messageFor(error));
}
process.exit();
