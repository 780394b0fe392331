import {
  checkDisks,
  checkFiles,
  checkForwards,
  checkOutputs,
  checkSwaps,
  placedForwards,
} from "./list-checks.ts";
import { type Finding, placedItems } from "./placed.ts";
import type { SpecFile } from "./schema/spec-schema.ts";

/** Everything that concerns several fields of one spec file. */
export function checkSpecFile(spec: SpecFile): Finding[] {
  return [
    ...checkSetup(spec),
    ...checkCommands(spec),
    ...checkFiles(placedItems(spec.files, ["files"])),
    ...checkOutputs(placedItems(spec.outputs, ["outputs"])),
    ...checkDisks(placedItems(spec.disks, ["disks"]), placedItems(spec.bundles, ["bundles"])),
    ...checkForwards(placedForwards(spec), spec.network?.mode),
    ...checkMediation(spec),
    ...checkHealth(spec),
    ...checkModel(spec),
    ...checkAgent(spec),
  ];
}

function checkSetup(spec: SpecFile): Finding[] {
  return (spec.setup ?? []).flatMap((item, index): Finding[] => {
    if (typeof item === "string") return [];
    const given = Object.keys(item).length;
    if (given === 1) return [];
    return [
      at(
        ["setup", index],
        `Setup entry has ${given === 0 ? "neither" : "both"} "run" ${given === 0 ? "nor" : "and"} "file": wanted one of them`,
      ),
    ];
  });
}

function checkCommands(spec: SpecFile): Finding[] {
  if (spec.entrypoint === undefined || spec.service === undefined) return [];
  return [
    at(
      ["service"],
      'Both "entrypoint" and "service" say what runs on start: wanted one of them',
      "key",
    ),
  ];
}

function checkMediation(spec: SpecFile): Finding[] {
  const mediation = spec.mediation;
  if (mediation === undefined || Object.keys(mediation).length === 0) return [];
  const others = Object.keys(mediation).filter((key) => key !== "enabled");
  if (mediation.enabled === false) {
    if (others.length === 0) return [];
    return [
      at(
        ["mediation", "enabled"],
        `Mediation is not enabled, yet "${others[0]}" is set: wanted "enabled: true", or no other field`,
      ),
    ];
  }
  const findings: Finding[] = [];
  if (mediation.port === undefined)
    findings.push(
      at(["mediation"], 'Mediation has no "port": wanted the port the guest connects to', "key"),
    );
  if (mediation.target === undefined)
    findings.push(
      at(
        ["mediation"],
        'Mediation has no "target": wanted host:port of the program on the host',
        "key",
      ),
    );
  if (mediation.required === true && mediation.failClosed === false) {
    findings.push(
      at(
        ["mediation", "failClosed"],
        'Mediation is required but not "failClosed": wanted "failClosed: true", or "required: false"',
      ),
    );
  }
  return findings;
}

function checkHealth(spec: SpecFile): Finding[] {
  const health = spec.health;
  if (health === undefined) return [];
  if (health.exec !== undefined && health.httpGet !== undefined) {
    return [
      at(
        ["health", "httpGet"],
        'Health has two probes, "exec" and "httpGet": wanted one of them',
        "key",
      ),
    ];
  }
  if (health.exec === undefined && health.httpGet === undefined) {
    return [at(["health"], 'Health has no probe: wanted "exec", or "httpGet" with "port"', "key")];
  }
  if (health.exec?.length === 0)
    return [at(["health", "exec"], 'Health probe "exec" is an empty list: wanted a command')];
  if (health.httpGet !== undefined && health.port === undefined) {
    return [
      at(
        ["health", "httpGet"],
        'Health probe "httpGet" has no "port": wanted a published guest port',
        "key",
      ),
    ];
  }
  if (health.exec !== undefined && health.port !== undefined) {
    return [
      at(
        ["health", "port"],
        'Health probe "exec" has a "port", which only "httpGet" uses: wanted it removed',
        "key",
      ),
    ];
  }
  return [];
}

function checkModel(spec: SpecFile): Finding[] {
  const findings: Finding[] = [];
  const runner = spec.modelRunner;
  if (runner?.command !== undefined) {
    const words = typeof runner.command === "string" ? runner.command : runner.command.join(" ");
    const hasPlace = words.includes("{addr}") || words.includes("{port}");
    if (!words.includes("{model}") || !hasPlace) {
      findings.push(
        at(
          ["modelRunner", "command"],
          'Runner command lacks its placeholders: wanted "{model}" and one of "{port}" and "{addr}"',
        ),
      );
    }
  } else if (runner?.backend === "custom") {
    findings.push(
      at(["modelRunner", "backend"], 'Model runner "custom" has no "command": wanted one'),
    );
  }
  const mediation = spec.modelMediation;
  const { policyFile, policyURL } = mediation ?? {};
  if (policyFile !== undefined && policyURL !== undefined) {
    findings.push(
      at(
        ["modelMediation", "policyURL"],
        'Model mediation has both "policyFile" and "policyURL": wanted one of them',
        "key",
      ),
    );
  } else if (mediation?.mode === "policy" && policyFile === undefined && policyURL === undefined) {
    findings.push(
      at(
        ["modelMediation", "mode"],
        'Model mediation "policy" has no policy: wanted "policyFile" or "policyURL"',
      ),
    );
  }
  return findings;
}

function checkAgent(spec: SpecFile): Finding[] {
  const findings: Finding[] = [];
  const agent = spec.agent;
  if (agent?.broker !== undefined && agent.brokers !== undefined) {
    findings.push(
      at(["agent", "brokers"], 'Both "broker" and "brokers" are set: wanted one of them', "key"),
    );
  }
  const endpoints = [
    ...(agent?.broker === undefined ? [] : [{ value: agent.broker, path: ["agent", "broker"] }]),
    ...(agent?.brokers ?? []).map((value, index) => ({ value, path: ["agent", "brokers", index] })),
  ];
  const [, secondProxy] = endpoints.filter(({ value }) => value.proxy === true);
  if (secondProxy !== undefined) {
    findings.push(
      at(
        [...secondProxy.path, "proxy"],
        "More than one broker endpoint is a proxy: wanted at most one",
      ),
    );
  }
  for (const { value, path } of endpoints) {
    if (value.assurance === "semantic" && value.grant === undefined) {
      findings.push(
        at(
          [...path, "assurance"],
          'Broker assurance "semantic" has no "grant": wanted a grant file',
        ),
      );
    }
  }
  findings.push(...checkSwaps(placedItems(agent?.["cred-swap"], ["agent", "cred-swap"])));
  return findings;
}

function at(path: (string | number)[], sentence: string, side: "key" | "value" = "value"): Finding {
  return { place: { kind: "spec", path }, at: side, sentence };
}
