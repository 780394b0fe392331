/** What the step can be told: the one list that `action.yml`, the documentation and the reader come from. */
export interface InputDeclaration {
  readonly name: string;
  readonly default: string;
  readonly meaning: string;
}

export const inputDeclarations = [
  {
    name: "file",
    default: "",
    meaning: "Agentfile (`microagent.yaml`) below the workspace. Never looked for: name it.",
  },
  { name: "image", default: "", meaning: "Image reference; replaces the Agentfile's." },
  {
    name: "run",
    default: "",
    meaning: "Script for the guest's shell; replaces `agent.entry`. It reaches the guest as data.",
  },
  {
    name: "shell",
    default: "",
    meaning: "Shell in the guest (default: the Agentfile's, `/bin/sh`).",
  },
  {
    name: "workspace",
    default: "copy",
    meaning:
      "`copy` brings the checkout to `/workspace`, without what `.gitignore` names and without credentials; `none` brings nothing. It is never mounted.",
  },
  {
    name: "workspace-exclude",
    default: "",
    meaning: "Patterns, one a line, of files that stay outside.",
  },
  {
    name: "workspace-back",
    default: "none",
    meaning:
      "`patch` makes what changed in `/workspace` a diff for `git apply`, `copy` writes it into the checkout (never `.git` or `.github`), `none` drops it.",
  },
  {
    name: "artifacts",
    default: "",
    meaning: "Outputs besides the Agentfile's, one `name=/guest/path` a line.",
  },
  { name: "upload-artifacts", default: "true", meaning: "`false` collects to disk only." },
  {
    name: "artifact-name",
    default: "",
    meaning: "Name of the uploaded artifact (default: `microagent-<job>-<workspace>`).",
  },
  {
    name: "artifact-retention-days",
    default: "",
    meaning: "Days, 1 to 90 (default: the repository's).",
  },
  {
    name: "structured-output",
    default: "",
    meaning:
      "Path in the guest of a JSON file that becomes the output `structured-output`; it is an artifact too.",
  },
  {
    name: "if-no-artifacts",
    default: "warn",
    meaning:
      "`warn`, `error` or `ignore` a missing output. `error` also refuses one of which entries stay in the guest.",
  },
  { name: "env", default: "", meaning: "Variables, one `NAME=value` a line. Plain values only." },
  {
    name: "secrets",
    default: "",
    meaning:
      "Secrets for the guest, one `NAME=env:VARIABLE` a line; masked in the log. The guest holds them.",
  },
  {
    name: "cred-swap",
    default: "",
    meaning:
      "Credentials that never enter the guest, one `provider=env:VARIABLE` a line; the guest holds a placeholder.",
  },
  {
    name: "egress-swap-config",
    default: "",
    meaning: "File below the workspace with swaps for hosts of your own.",
  },
  {
    name: "oidc-audience",
    default: "",
    meaning:
      "Fetches the job's ID token for this audience and gives it to swaps and to the secret helper as `env:MICROAGENT_ID_TOKEN`, never to the guest. Needs the permission `id-token: write`.",
  },
  {
    name: "github-token",
    default: "",
    meaning:
      "Token for images of GitHub's container registry. It stays on the runner and goes to that registry only.",
  },
  {
    name: "egress",
    default: "",
    meaning: "`guarded`, `strict` or `off` (default: the Agentfile's).",
  },
  {
    name: "allow",
    default: "",
    meaning: "Hosts the guest may reach, one a line, besides the Agentfile's.",
  },
  {
    name: "lock-allowlist",
    default: "true",
    meaning:
      "Only listed hosts, when neither `egress` nor the Agentfile says otherwise. `false` only watches.",
  },
  {
    name: "egress-host",
    default: "",
    meaning:
      "Hosts that are somewhere else in this run, one `NAME=ADDRESS:PORT` a line: a stand-in that an earlier step has started.",
  },
  {
    name: "egress-ca",
    default: "",
    meaning: "PEM files of more authorities for servers of swaps, one a line.",
  },
  {
    name: "profile",
    default: "",
    meaning: "`tiny`, `small`, `medium` or `large`; less where this runner has less.",
  },
  { name: "cpus", default: "", meaning: "Virtual CPUs (default: the Agentfile's)." },
  { name: "memory", default: "", meaning: "MiB of memory (default: the Agentfile's)." },
  { name: "disk", default: "", meaning: "MiB of writable disk (default: the Agentfile's)." },
  {
    name: "timeout",
    default: "15m",
    meaning: "Bound of setup and command together: `90s`, `15m`, `2h`.",
  },
  { name: "boot-timeout", default: "60s", meaning: "Bound of the boot." },
  { name: "pull-timeout", default: "10m", meaning: "Bound of getting the image." },
  {
    name: "accel",
    default: "auto",
    meaning:
      "`kvm` never falls back, `tcg` emulates, `auto` takes what works and says which and why.",
  },
  {
    name: "fix-kvm",
    default: "true",
    meaning:
      "Open `/dev/kvm` to this user where it is closed and sudo asks for no password; undone afterwards on self-hosted runners.",
  },
  {
    name: "cache",
    default: "auto",
    meaning:
      "Kernel and image layers: `auto` restores and saves (restores only where the event is not trusted), `read` only restores, `off` does neither.",
  },
  {
    name: "template-cache",
    default: "false",
    meaning: "`true` also caches the machine after `setup`, keyed by CPU and VMM.",
  },
  {
    name: "keep",
    default: "false",
    meaning:
      "`true` leaves the machine up for later steps with `shell: microagent exec {0}`; it is deleted when the job ends. Outputs are what there was when this step's command had ended.",
  },
  {
    name: "name",
    default: "",
    meaning: "Workspace name (default: the Agentfile's, else made up).",
  },
  { name: "summary", default: "true", meaning: "`false` writes no job summary." },
  {
    name: "report",
    default: "true",
    meaning: "`false` puts no `report.html` among the artifacts.",
  },
  {
    name: "annotations",
    default: "auto",
    meaning:
      "`off` makes none, and takes the problem matchers of earlier setup steps out of the job, which read the guest's lines too.",
  },
  {
    name: "log",
    default: "stream",
    meaning:
      "`stream` shows the guest's output live, `group` folded, `on-failure` only when the run failed.",
  },
  {
    name: "fail-on",
    default: "exit",
    meaning:
      "What fails the step, separated by commas: `exit`, `egress-denied`, `missing-artifact`; the last for a structured output too that is of no use.",
  },
] as const satisfies readonly InputDeclaration[];

export type InputName = (typeof inputDeclarations)[number]["name"];
