import { z } from "zod";

/**
 * The messages of work, as host and guest exchange them over a mediation channel. Unknown fields are refused, what is parsed
 * is frozen. Names are those on the wire.
 */

const id = z.string().min(1).max(256);
const instant = z.iso.datetime({ offset: true });
const version = z.int().min(0);
const text = z.string().max(4096);
const count = z.int().min(0);

/** Who wants the work. Work of a principal that is not verified is to be refused. */
export const principalSchema = z
  .strictObject({
    name: id,
    kind: z.enum(["user", "agent", "service"]),
    verified: z.boolean(),
    verified_by: id.optional(),
    authorization_scope: z.array(id).max(256).default([]).readonly(),
  })
  .readonly();
export type Principal = z.infer<typeof principalSchema>;

/** How much the work may take; what is absent is not bounded by it. */
export const workBoundsSchema = z
  .strictObject({
    max_duration_seconds: z.int().min(1).optional(),
    max_tokens: z.int().min(1).optional(),
    max_tool_calls: count.optional(),
    max_egress_bytes: count.optional(),
  })
  .readonly();
export type WorkBounds = z.infer<typeof workBoundsSchema>;

/** Work for a guest. */
export const workRequestSchema = z
  .strictObject({
    request_id: id,
    principal: principalSchema,
    /** A text for `text`, any JSON for the others. */
    content: z.json(),
    content_kind: z.enum(["text", "json", "structured"]).default("text"),
    constraints_version: version,
    bounds: workBoundsSchema.optional(),
    submitted_at: instant,
    audit_ref: id,
  })
  .refine(({ content, content_kind: kind }) => kind !== "text" || typeof content === "string", {
    path: ["content"],
    message: "Content of kind text is not a text",
  })
  .readonly();
export type WorkRequest = z.infer<typeof workRequestSchema>;

/** What became of a request. */
export const workResultSchema = z
  .strictObject({
    request_id: id,
    status: z.enum(["completed", "failed", "denied", "yielded"]),
    content: z.json().optional(),
    error: text.optional(),
    completed_at: instant,
    audit_ref: id,
  })
  .readonly();
export type WorkResult = z.infer<typeof workResultSchema>;

/** Where an agent is in its life; `quarantined` is recorded by the host. */
export const lifecycleSignalSchema = z
  .strictObject({
    signal: z.enum([
      "ready",
      "accepting",
      "completed",
      "mediation_broken",
      "constraints_outdated",
      "quarantined",
    ]),
    agent_id: id,
    observed_at: instant,
    request_id: id.optional(),
    detail: text.optional(),
    error: text.optional(),
  })
  .readonly();
export type LifecycleSignal = z.infer<typeof lifecycleSignalSchema>;

/** Rules an agent works under. */
export const constraintsSchema = z
  .strictObject({ version, hash: id, effective_at: instant, payload_ref: id })
  .readonly();
export type Constraints = z.infer<typeof constraintsSchema>;

/** An agent's word that it works under a version of the rules: no ack, no work. */
export const constraintAckSchema = z
  .strictObject({ version, hash: id, agent_id: id, observed_at: instant })
  .readonly();
export type ConstraintAck = z.infer<typeof constraintAckSchema>;

/** A change of who an agent is. */
export const identityRevisionSchema = z
  .strictObject({ agent_id: id, version, hash: id, mutated_at: instant, mutation_ref: id })
  .readonly();
export type IdentityRevision = z.infer<typeof identityRevisionSchema>;
