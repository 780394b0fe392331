import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { errorJson } from "../../../../src/base/error-json.ts";
import { isMicroagentError } from "../../../../src/base/errors.ts";
import { type HostileServer, startHostileRegistry } from "../../../fixtures/hostile-registry.ts";
import { type TempStore, tempStore } from "../../../fixtures/image-store.ts";
import { fastClockOf } from "../../../support/fast-clock.ts";
import {
  expectOwnLines,
  foreignValues,
  type Json,
  mutated,
} from "../../../support/foreign-values.ts";

/** Pauses between tries take no time. */
const fastClock = fastClockOf(600);

let registry: HostileServer;
let temp: TempStore;
beforeEach(async () => {
  registry = await startHostileRegistry();
  temp = await tempStore(fastClock);
  vi.stubEnv("REGISTRY_AUTH_FILE", join(temp.dir, "auth.json"));
  vi.stubEnv("DOCKER_CONFIG", temp.dir);
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await temp[Symbol.asyncDispose]();
  await registry[Symbol.asyncDispose]();
});

const errorBody: Json = {
  errors: [{ code: "DENIED", message: "no", detail: { Class: "", Action: "pull" } }],
  details: "none",
  message: "no",
};

/** Pulls, and looks at all that could be printed of it. True when it failed. */
async function pullFails(about: string): Promise<boolean> {
  temp.events.length = 0;
  const error = await temp.resolve(`${registry.host}/app:1`, { pull: "always" }).then(
    () => null,
    (reason: unknown) => reason,
  );
  for (const event of temp.events) {
    for (const text of Object.values(event))
      if (typeof text === "string") expectOwnLines(text, about);
  }
  if (error === null) return false;
  if (!isMicroagentError(error)) throw error;
  expect(error.code, about).not.toBe("internal");
  for (const text of Object.values(errorJson(error))) {
    if (typeof text !== "string") continue;
    expect(text, about).not.toContain("\n");
    expectOwnLines(text, about);
  }
  return true;
}

test.each([400, 401, 403, 404, 429, 500, 503])(
  "whatever a registry says with its %i, an error is one line of ours",
  async (status) => {
    let failed = 0;
    for (const value of foreignValues) {
      for (const [at, body] of [...mutated(errorBody, value)].entries()) {
        registry.misdeed = ({ path }, response) => {
          if (!path.includes("/manifests/")) return false;
          response.writeHead(status).end(JSON.stringify(body));
          return true;
        };
        if (await pullFails(`${status} ${at}`)) failed += 1;
      }
    }
    expect(failed).toBeGreaterThan(40);
  },
  60_000,
);

/** What a header can carry that acts: C1 controls, a soft hyphen, a tab, quotation marks. */
const header = "a\u0085::add-mask::b\u009b2J\u00adc\td";

test.each<[string, number, Record<string, string>]>([
  ["a challenge", 401, { "www-authenticate": header }],
  ["its realm", 401, { "www-authenticate": `Bearer realm="${header}"` }],
  ["its host", 401, { "www-authenticate": `Bearer realm="http://${header}/token"` }],
  ["its service", 401, { "www-authenticate": `Bearer realm="http://a.test/",service="${header}"` }],
  ["its scheme", 401, { "www-authenticate": `${header} realm="x"` }],
  ["a pause", 429, { "retry-after": header }],
  ["a redirect", 307, { location: header }],
  ["a redirect to a host", 307, { location: `http://${header}/x` }],
  ["a redirect to a scheme", 307, { location: `x:${header}` }],
  ["a type", 200, { "content-type": header }],
  ["a digest", 200, { "docker-content-digest": header }],
  ["much of a challenge", 401, { "www-authenticate": "x".repeat(15_000) }],
  ["more headers than are read", 401, { "www-authenticate": "x".repeat(60_000) }],
])("%s with odd bytes in it ends in one line of ours", async (_what, status, headers) => {
  registry.misdeed = ({ path }, response) => {
    if (!path.includes("/manifests/")) return false;
    response.writeHead(status, headers).end("{}");
    return true;
  };
  expect(await pullFails(_what)).toBe(true);
});

test("whatever a token server answers, an error is one line of ours", async () => {
  const answer: Json = { token: "t", access_token: "t", expires_in: 60, errors: errorBody };
  let failed = 0;
  for (const status of [200, 401, 500]) {
    for (const value of foreignValues) {
      for (const [at, body] of [...mutated(answer, value)].entries()) {
        registry.misdeed = ({ path }, response) => {
          const isToken = path.startsWith("/token");
          if (isToken) response.writeHead(status).end(JSON.stringify(body));
          else {
            const challenge = `Bearer realm="http://${registry.host}/token",service="s"`;
            response.writeHead(401, { "www-authenticate": challenge }).end();
          }
          return true;
        };
        if (await pullFails(`${status} ${at}`)) failed += 1;
      }
    }
  }
  expect(failed).toBeGreaterThan(100);
}, 60_000);
