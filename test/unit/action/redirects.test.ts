import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, onTestFinished, test, vi } from "vitest";
import { cacheTrouble } from "../../../action/cache-service.ts";
import { provideIdToken } from "../../../action/id-token.ts";

afterEach(() => {
  vi.unstubAllEnvs();
});

/** Two servers of loopback under different names: the first one redirects, the second one writes down what it hears. */
async function redirecting(status: number) {
  const heard: (string | undefined)[] = [];
  const stranger = createServer((message, response) => {
    heard.push(message.headers.authorization);
    response.end("{}");
  });
  const service = createServer((_message, response) => {
    const { port } = stranger.address() as AddressInfo;
    response.writeHead(status, { location: `http://localhost:${port}/` }).end();
  });
  for (const server of [stranger, service]) {
    server.listen(0, server === stranger ? "localhost" : "127.0.0.1");
    await once(server, "listening");
    onTestFinished(() => {
      server.closeAllConnections();
      server.close();
    });
  }
  return { heard, url: `http://127.0.0.1:${(service.address() as AddressInfo).port}/` };
}

test.each([301, 302, 303, 307, 308])(
  "the job's tokens do not follow a %d of the runner's services to another host",
  async (status) => {
    const { heard, url } = await redirecting(status);
    vi.stubEnv("ACTIONS_CACHE_SERVICE_V2", "1");
    vi.stubEnv("ACTIONS_RESULTS_URL", url);
    vi.stubEnv("ACTIONS_RUNTIME_TOKEN", "runtime-s3cret");
    await cacheTrouble(process.env);
    vi.stubEnv("ACTIONS_ID_TOKEN_REQUEST_URL", `${url}?a=b`);
    vi.stubEnv("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "request-s3cret");
    await provideIdToken("somebody").catch(() => {});
    expect(heard.filter((authorization) => authorization !== undefined)).toEqual([]);
  },
);
