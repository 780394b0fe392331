/** Name of the record of accesses to secrets, in a workspace's directory and beside outputs. */
export const secretAuditFile = "secrets-access.jsonl";
