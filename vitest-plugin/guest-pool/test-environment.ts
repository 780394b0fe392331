import type { PoolOptions } from "vitest/node";
import type { PoolSettings } from "./options.ts";

/** What Vitest, its plugins and test code look at. Paths, tokens and the like of the host stay on the host. */
const passed =
  /^(VITEST.*|TEST|NODE_ENV|MODE|DEV|PROD|SSR|BASE_URL|CI|GITHUB_ACTIONS|TZ|LANG|LC_.*|NO_COLOR|FORCE_COLOR|FORCE_TTY)$/;

/** The environment of the tests: Vitest's, the configuration's, the pool's own. */
export function testEnvironment(
  settings: PoolSettings,
  { env, project }: PoolOptions,
): Record<string, string> {
  const declared = { ...project.vitest.config.env, ...project.config.env };
  const found: Record<string, string> = {};
  for (const [name, value] of Object.entries({ ...env, ...settings.env })) {
    if (value === undefined) continue;
    if (passed.test(name) || name in declared || name in settings.env) found[name] = `${value}`;
  }
  return found;
}
