import { setTimeout as sleep } from "node:timers/promises";
import { setSecret } from "@actions/core";

/** Where swaps and the secret helper find the token, as `env:` reference and as variable. */
export const idTokenVariable = "MICROAGENT_ID_TOKEN";

/**
 * Fetches the job's ID token, has it masked, and gives it to what this process resolves on the host. It lives for
 * minutes: what needs a credential for longer exchanges it.
 */
export async function provideIdToken(audience: string): Promise<void> {
  const { ACTIONS_ID_TOKEN_REQUEST_URL: url, ACTIONS_ID_TOKEN_REQUEST_TOKEN: token } = process.env;
  if (!url || !token) {
    throw new Error(
      'Input "oidc-audience" wants an ID token, but this job may not have one. Hint: permissions: { id-token: write, contents: read }',
    );
  }
  try {
    const idToken = await ask(new URL(`${url}&audience=${encodeURIComponent(audience)}`), token);
    setSecret(idToken);
    process.env[idTokenVariable] = idToken;
  } catch (error) {
    const why = error instanceof Error ? error.message.trim().split("\n").at(-1) : String(error);
    throw new Error(`No ID token could be had for audience "${audience}": ${why}`);
  }
}

const answerMs = 10_000;
const tries = 4;

/**
 * The toolkit's own call follows redirects, and gives the request's token to whatever host they lead to
 * (`@actions/http-client` 4: `BearerCredentialHandler` prepares every request). The service redirects nobody.
 */
async function ask(url: URL, token: string): Promise<string> {
  const { EnvHttpProxyAgent, fetch } = await import("undici");
  for (let attempt = 1; ; attempt++) {
    const response = await fetch(url, {
      headers: { authorization: `Bearer ${token}`, accept: "application/json" },
      redirect: "manual",
      signal: AbortSignal.timeout(answerMs),
      dispatcher: new EnvHttpProxyAgent(),
    });
    if (response.ok) {
      const { value } = (await response.json()) as { readonly value?: unknown };
      if (typeof value === "string" && value !== "") return value;
      throw new Error("the service answers without a token");
    }
    await response.body?.cancel();
    if (response.status < 500 || attempt === tries) {
      throw new Error(`the service answers ${response.status}`);
    }
    await sleep(attempt * 500);
  }
}
