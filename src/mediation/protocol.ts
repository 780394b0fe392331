import { encodeMessage, readMessages } from "./json-lines.ts";
import {
  constraintAckSchema,
  constraintsSchema,
  identityRevisionSchema,
  lifecycleSignalSchema,
  principalSchema,
  workBoundsSchema,
  workRequestSchema,
  workResultSchema,
} from "./messages.ts";

/** Everything a host needs to speak with an agent over a mediation channel: zod schemas by message, and the framing. */
export const mediationProtocol = {
  Principal: principalSchema,
  WorkBounds: workBoundsSchema,
  WorkRequest: workRequestSchema,
  WorkResult: workResultSchema,
  LifecycleSignal: lifecycleSignalSchema,
  Constraints: constraintsSchema,
  ConstraintAck: constraintAckSchema,
  IdentityRevision: identityRevisionSchema,
  encodeMessage,
  readMessages,
};

export type MediationProtocol = typeof mediationProtocol;
