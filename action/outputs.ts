/** What later steps can read: the one list that `action.yml`, the documentation and the writer share. */
export interface OutputDeclaration {
  readonly name: string;
  readonly meaning: string;
}

export const outputDeclarations = [
  {
    name: "exit-code",
    meaning: "The guest's exit code, or the run's own: 1 failed, 75 worth a retry.",
  },
  { name: "conclusion", meaning: "`success`, `failure`, `timeout`, `cancelled` or `infra-error`." },
  { name: "workspace", meaning: "Name of the workspace." },
  { name: "image-digest", meaning: "Digest of the image that ran." },
  { name: "result-file", meaning: "Path of `result.json`." },
  { name: "receipt-file", meaning: "Path of `egress.jsonl`; empty without a network." },
  { name: "egress-allowed", meaning: "How many connections and names were allowed." },
  { name: "egress-denied", meaning: "How many were refused." },
  { name: "denied-hosts", meaning: "JSON list of refused hosts, at most 50." },
  { name: "artifacts-dir", meaning: "Directory of the collected outputs." },
  { name: "artifacts", meaning: "JSON list of `{name, path, size, sha256}`, at most 1000." },
  { name: "artifact-id", meaning: "Id of the uploaded artifact." },
  { name: "artifact-url", meaning: "Address of the uploaded artifact." },
  { name: "artifact-digest", meaning: "SHA-256 of the uploaded archive." },
  {
    name: "stdout-tail",
    meaning:
      "The end of standard output, at most 16 KiB, without control characters. It is the guest's: take it as data, never into a script.",
  },
  {
    name: "structured-output",
    meaning:
      "JSON of the file that the input of this name names, on one line, at most 64 KiB; empty without one. It is the guest's.",
  },
  {
    name: "usage",
    meaning:
      "JSON list of `{model, answers, input_tokens, output_tokens}`, as the providers of swapped credentials counted.",
  },
  { name: "patch-file", meaning: "Path of the diff, with `workspace-back: patch`." },
  { name: "boot-ms", meaning: "Milliseconds from starting the machine to its first answer." },
  { name: "duration-ms", meaning: "Milliseconds of the whole run." },
  { name: "cache-hit", meaning: "`none`, `image` or `template`." },
  { name: "accel", meaning: "`kvm`, `hvf` or `tcg`." },
] as const satisfies readonly OutputDeclaration[];

export type OutputName = (typeof outputDeclarations)[number]["name"];
