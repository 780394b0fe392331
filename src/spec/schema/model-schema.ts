import { z } from "zod";
import { isDuration, isFilled, isHostPath, isHttpUrl, isUrlPath } from "./checks.ts";
import { choice, fieldNotes, list, mapping, text } from "./field-notes.ts";

const commandNotes = {
  doc: "Argument vector of a custom runner, with {model}, {host}, {port} and {addr}; no shell",
  wanted: "a command, as one text or a list of words",
};

export const modelRunnerSchema = mapping(
  { doc: "The program that serves the model on the host" },
  {
    backend: choice(["llamacpp", "vllm", "custom"], {
      doc: "Kind of runner",
      defaultText: "llamacpp",
    }).optional(),
    gpu: choice(["off", "on", "auto"], {
      doc: "Whether the runner may use a GPU",
      defaultText: "off",
    }).optional(),
    backendModel: text(
      { doc: "Model name the backend is given", wanted: "a model name" },
      isFilled,
    ).optional(),
    servedModel: text(
      { doc: "Model name clients see", wanted: "a model name" },
      isFilled,
    ).optional(),
    command: z
      .union([
        text(commandNotes, isFilled),
        list(commandNotes, text({ doc: "Word", wanted: "a text" })),
      ])
      .register(fieldNotes, commandNotes)
      .optional(),
    name: text({ doc: "Name of the runner", wanted: "a name" }, isFilled).optional(),
    healthPath: text(
      { doc: "Path that answers once the runner is ready", wanted: 'a URL path such as "/health"' },
      isUrlPath,
    ).optional(),
    args: list(
      { doc: "Extra arguments of the runner", wanted: "a list of texts", defaultText: "[]" },
      text({ doc: "Argument", wanted: "a text" }),
    ).optional(),
  },
);

export const modelMediationSchema = mapping(
  { doc: "Who decides about model requests" },
  {
    mode: choice(["off", "local-allow", "policy"], {
      doc: "No decision, local models only, or a policy",
      defaultText: "off",
    }).optional(),
    policyFile: text(
      { doc: "Policy, relative to the spec file or absolute", wanted: "the path of a host file" },
      isHostPath,
    ).optional(),
    policyURL: text(
      { doc: "Policy service, instead of a file", wanted: "an http or https URL" },
      isHttpUrl,
    ).optional(),
    policyTimeout: text(
      { doc: "Time the policy service has", wanted: 'a duration such as "250ms"' },
      isDuration,
    ).optional(),
  },
);
