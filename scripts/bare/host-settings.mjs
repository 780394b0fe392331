// @ts-check
// How this host reaches packages and modules. A bare root gets the same, because it shares the host's network; nothing
// here names a server.
import { existsSync } from "node:fs";
import { goPrograms } from "../find-go.mjs";
import { findProgram } from "../host-packages.mjs";
import { run } from "../steps.mjs";

/** Variables that say how to reach servers, in both spellings that programs read. */
const proxies = ["HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY"].flatMap((name) => [
  name,
  name.toLowerCase(),
]);
const goSettings = ["GOPROXY", "GONOPROXY", "GOSUMDB", "GONOSUMDB", "GOPRIVATE", "GOINSECURE"];
const npmSettings = ["registry", "proxy", "https-proxy", "noproxy", "strict-ssl"];

/**
 * Variables for every command in the root.
 *
 * @param {string} certificates path inside of the root of what `hostCertificates` found
 * @returns {Promise<Record<string, string>>}
 */
export async function hostVariables(certificates) {
  /** @type {Record<string, string>} */
  const variables = {};
  for (const name of proxies) {
    const value = process.env[name];
    if (value !== undefined) variables[name] = value;
  }
  Object.assign(variables, await goVariables(), await npmVariables());
  // Node and npm bring their own; whoever reads the system's finds them there.
  if (hostCertificates() !== null) variables.NODE_EXTRA_CA_CERTS = certificates;
  return variables;
}

/** A file with certificates that this host trusts beside the usual ones; null without one. */
export function hostCertificates() {
  const named = [process.env.NODE_EXTRA_CA_CERTS, process.env.SSL_CERT_FILE];
  return named.find((path) => path !== undefined && existsSync(path)) ?? null;
}

/** What is configured by `go env -w` counts as well as the environment. */
async function goVariables() {
  const [go] = goPrograms();
  if (go === undefined) return {};
  /** @type {Record<string, string>} */
  const settings = JSON.parse((await textOf(go, ["env", "-json", ...goSettings])) || "{}");
  return Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== ""));
}

async function npmVariables() {
  const npm = findProgram("npm");
  if (npm === null) return {};
  /** @type {Record<string, unknown>} */
  const settings = JSON.parse((await textOf(npm, ["config", "ls", "--long", "--json"])) || "{}");
  return Object.fromEntries(
    npmSettings
      .filter((name) => ["string", "boolean"].includes(typeof settings[name]))
      .map((name) => [`npm_config_${name.replaceAll("-", "_")}`, String(settings[name])])
      .filter(([, value]) => value !== ""),
  );
}

/** Settings of apt that decide how packages are fetched. */
const fetchSettings = /^Acquire::(https?::\S+|Check-Valid-Until|Check-Date|Retries|ForceIPv[46]) "/;

/** Lines for apt.conf. */
export async function aptSettings() {
  if (findProgram("apt-config") === null) return [];
  const dump = await textOf("apt-config", ["dump"]);
  return dump.split("\n").filter((line) => fetchSettings.test(line) && !line.endsWith('"";'));
}

/**
 * The host's own sources of a suite; none where the host has another suite, and mmdebstrap knows the usual ones.
 *
 * @param {string} suite
 */
export async function aptSources(suite) {
  if (findProgram("apt-get") === null) return [];
  const format = "$(REPO_URI)|$(RELEASE)|$(COMPONENT)";
  const text = await textOf("apt-get", [
    "indextargets",
    "--format",
    format,
    "Created-By: Packages",
  ]);
  const wanted = [suite, `${suite}-updates`, `${suite}-security`];
  const found = text.split("\n").flatMap((line) => {
    const [uri = "", release = "", component = ""] = line.trim().split("|");
    return wanted.includes(release) && component === "main" ? [{ uri, release }] : [];
  });
  if (!found.some(({ release }) => release === suite)) return [];
  return [...new Set(found.map(({ uri, release }) => `deb ${uri} ${release} main`))];
}

/** @param {string} program @param {readonly string[]} words */
async function textOf(program, words) {
  let text = "";
  await run(program, words, { onStdout: (chunk) => (text += chunk), silent: true });
  return text;
}
