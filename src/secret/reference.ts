/** Where a secret is. Never the secret: a text that is no reference may be one, so it is not repeated anywhere. */
export type SecretRef =
  | { readonly scheme: "env"; readonly variable: string }
  | { readonly scheme: "file"; readonly path: string }
  | { readonly scheme: "dotenv"; readonly path: string; readonly key: string }
  /** `path` is the API path below `/v1/`; without a field the secret has to have just one. */
  | { readonly scheme: "vault"; readonly path: string; readonly field: string | null }
  | { readonly scheme: "helper"; readonly argument: string };

export type SecretScheme = SecretRef["scheme"];

/** Why a text is no reference, and what to write instead. */
export interface SecretRefProblem {
  /** Continues a sentence: `... is not a reference`. */
  readonly problem: string;
  readonly hint: string;
}

const wanted =
  "Write env:VARIABLE, file:PATH, dotenv:PATH#KEY, vault:MOUNT/data/PATH#FIELD or helper:REFERENCE";
const referenceBytesMax = 4096;
const controls = /\p{Cc}/u;

/** A reference, or what is wrong with it; nothing of the text is in what it says. */
export function parseSecretRef(text: string): SecretRef | SecretRefProblem {
  const at = text.indexOf(":");
  const rest = text.slice(at + 1);
  if (at < 0) return problem("is not a reference");
  if (rest === "") return problem("names nothing after its scheme");
  if (text.length > referenceBytesMax || controls.test(text)) {
    return problem("holds control characters or is too long for a reference");
  }
  switch (text.slice(0, at)) {
    case "env":
      return /^[A-Za-z_][A-Za-z0-9_]*$/.test(rest)
        ? { scheme: "env", variable: rest }
        : problem('does not name an environment variable after "env:"');
    case "file":
      return { scheme: "file", path: rest };
    case "dotenv":
      return dotenvRef(rest);
    case "vault":
      return vaultRef(rest);
    case "helper":
      return { scheme: "helper", argument: rest };
    default:
      return problem("has an unknown scheme");
  }
}

/** For `in` checks without a cast. */
export function isRefProblem(parsed: SecretRef | SecretRefProblem): parsed is SecretRefProblem {
  return "problem" in parsed;
}

function dotenvRef(rest: string): SecretRef | SecretRefProblem {
  const at = rest.lastIndexOf("#");
  const key = rest.slice(at + 1);
  if (at < 1 || !/^[A-Za-z_][A-Za-z0-9_]*$/.test(key)) {
    return problem('does not name a key after "#" of a dotenv file');
  }
  return { scheme: "dotenv", path: rest.slice(0, at), key };
}

function vaultRef(rest: string): SecretRef | SecretRefProblem {
  const at = rest.lastIndexOf("#");
  const path = (at < 0 ? rest : rest.slice(0, at)).replace(/^\/+|\/+$/g, "");
  const field = at < 0 ? null : rest.slice(at + 1);
  const parts = path.split("/");
  if (field === "" || parts.some((part) => ["", ".", ".."].includes(part)) || /[\s?#]/.test(path)) {
    return problem("does not name a path and a field in Vault");
  }
  // The first part is the mount, the last one the secret's name.
  if (!parts.slice(1, -1).includes("data")) {
    return {
      problem: 'names no "data" in its Vault path, as the API of the KV version 2 engine does',
      hint: "For what vault kv get calls secret/app, write vault:secret/data/app#FIELD",
    };
  }
  return { scheme: "vault", path, field };
}

function problem(text: string): SecretRefProblem {
  return { problem: text, hint: wanted };
}
