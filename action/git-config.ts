/** Settings that a copy of a repository needs, and that cannot hold a credential or a program. */
const kept: Readonly<Record<string, readonly string[]>> = {
  core: ["repositoryformatversion", "filemode", "bare", "ignorecase", "symlinks", "autocrlf"],
  extensions: ["objectformat", "partialclone", "worktreeconfig"],
  remote: ["url", "fetch", "promisor", "partialclonefilter"],
  branch: ["remote", "merge"],
};

/**
 * A repository's configuration with only what is known to be harmless: tokens sit in headers, in addresses,
 * in included files and in helpers, so a list of what to remove would never be whole.
 */
export function cleanGitConfig(config: string): string {
  const out: string[] = [];
  let allowed: readonly string[] = [];
  let continued = false;
  for (const line of config.split(/\r?\n/)) {
    const skip = continued;
    continued = /(^|[^\\])(\\\\)*\\$/.test(line);
    if (skip || continued) continue;
    const section = /^\s*\[\s*([A-Za-z0-9-]+)(?:\s+"((?:[^"\\]|\\.)*)")?\s*\]\s*$/.exec(line);
    if (section !== null) {
      const [, name = "", sub = "origin"] = section;
      // An address can be a name, and an address can hold a token.
      allowed = /^[\w./-]+$/.test(sub) ? (kept[name.toLowerCase()] ?? []) : [];
      if (allowed.length > 0) out.push(line.trim());
      continue;
    }
    // What also is a section, but not one that is understood, ends the one before it.
    if (/^\s*\[/.test(line)) allowed = [];
    const setting = /^\s*([A-Za-z][A-Za-z0-9-]*)\s*=\s*(.*)$/.exec(line);
    const name = setting?.[1]?.toLowerCase() ?? "";
    if (setting === null || !allowed.includes(name)) continue;
    const value = (setting[2] ?? "").replace(/(^|\s)[#;].*$/, "").trim();
    out.push(`\t${name} = ${["url", "remote"].includes(name) ? withoutUser(value) : value}`);
  }
  return `${out.join("\n")}\n`;
}

/** `https://user:token@host/x?token` without what stands before the host, and without a query. */
function withoutUser(url: string): string {
  const plain = url.replaceAll('"', "");
  return plain.replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/]*@/i, "$1").replace(/[?#].*$/, "");
}
