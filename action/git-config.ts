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
      allowed = kept[(section[1] ?? "").toLowerCase()] ?? [];
      if (allowed.length > 0) out.push(line.trim());
      continue;
    }
    const setting = /^\s*([A-Za-z][A-Za-z0-9-]*)\s*=\s*(.*)$/.exec(line);
    const name = setting?.[1]?.toLowerCase() ?? "";
    if (setting === null || !allowed.includes(name)) continue;
    const value = name === "url" ? withoutUser(setting[2] ?? "") : (setting[2] ?? "");
    out.push(`\t${name} = ${value}`);
  }
  return `${out.join("\n")}\n`;
}

/** `https://user:token@host/x` without what stands before the host. */
function withoutUser(url: string): string {
  return url.replace(/^("?[a-z][a-z0-9+.-]*:\/\/)[^/]*@/i, "$1");
}
