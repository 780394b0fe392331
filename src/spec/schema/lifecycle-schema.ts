import { isUrlPath } from "./checks.ts";
import { list, mapping, text, toggle, whole } from "./field-notes.ts";
import { isHostPort } from "./network-checks.ts";

const day = 86_400;

export const healthSchema = mapping(
  { doc: "Probe of a long-running workload: exec, or httpGet with port" },
  {
    exec: list(
      { doc: "Command that succeeds while the workload is well", wanted: "a list of words" },
      text({ doc: "Word", wanted: "a text" }),
    ).optional(),
    httpGet: text(
      {
        doc: "Path that answers while the workload is well",
        wanted: 'a URL path such as "/healthz"',
      },
      isUrlPath,
    ).optional(),
    port: whole(
      { doc: "Published guest port of httpGet", wanted: "a port from 1 to 65535" },
      1,
      65535,
    ).optional(),
    intervalSeconds: whole(
      { doc: "Time between probes", wanted: "a whole number of seconds from 1", defaultText: "30" },
      1,
      day,
    ).optional(),
    timeoutSeconds: whole(
      { doc: "Time a probe has", wanted: "a whole number of seconds from 1", defaultText: "5" },
      1,
      day,
    ).optional(),
    retries: whole(
      { doc: "Failures in a row that count", wanted: "a whole number from 1", defaultText: "3" },
      1,
      1000,
    ).optional(),
    startPeriodSeconds: whole(
      {
        doc: "Time before the first probe counts",
        wanted: "a whole number of seconds from 0",
        defaultText: "0",
      },
      0,
      day,
    ).optional(),
  },
);

export const mediationSchema = mapping(
  { doc: "Work channel from the guest to a program on the host; any field enables it" },
  {
    enabled: toggle({
      doc: "Open the channel",
      wanted: "true or false",
      defaultText: "true with any other field",
    }).optional(),
    required: toggle({
      doc: "The workload must not run without it",
      wanted: "true or false",
      defaultText: "false",
    }).optional(),
    port: whole(
      { doc: "Channel port the guest connects to", wanted: "a port from 1 to 4294967294" },
      1,
      0xffff_fffe,
    ).optional(),
    target: text(
      { doc: "Program on the host", wanted: 'host:port such as "127.0.0.1:9900"' },
      isHostPort,
    ).optional(),
    failClosed: toggle({
      doc: "Without the channel, nothing runs",
      wanted: "true or false",
      defaultText: "true when required",
    }).optional(),
  },
);
