/** The option of every command that reads or writes state, as `option` takes it. */
export const stateDirOption = [
  "--state-dir <dir>",
  "State directory (also: MICROAGENT_STATE_DIR)",
] as const;
