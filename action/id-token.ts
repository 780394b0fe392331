import { getIDToken } from "@actions/core";

/** Where swaps and the secret helper find the token, as `env:` reference and as variable. */
export const idTokenVariable = "MICROAGENT_ID_TOKEN";

/**
 * Fetches the job's ID token and gives it to what this process resolves on the host. The toolkit has it masked. It lives for
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
    process.env[idTokenVariable] = await getIDToken(audience);
  } catch (error) {
    const why = error instanceof Error ? error.message.trim().split("\n").at(-1) : String(error);
    throw new Error(`No ID token could be had for audience "${audience}": ${why}`);
  }
}
