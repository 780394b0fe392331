import { microvm } from "microagent-ci/vitest";
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: { testTimeout: 120_000 },
  plugins: [
    microvm({
      templates: {
        postgres: {
          image: "mmdebstrap:bookworm?include=postgresql",
          memory: 512,
          disk: 2048,
          files: { "/seed.sql": "seed.sql" },
          prepare: async (vm) => {
            const bin = "/usr/lib/postgresql/15/bin";
            const asPostgres = { user: "postgres", timeout: 300_000 };
            await vm.shell("mkdir -p /srv/db && chown postgres /srv/db");
            await vm.shell(`${bin}/initdb -D /srv/db -A trust --no-locale -E UTF8`, asPostgres);
            await vm.shell(
              `${bin}/pg_ctl -D /srv/db -o "-k /tmp" -l /srv/db/log -w start`,
              asPostgres,
            );
            await vm.waitFor.port(5432);
            await vm.shell("psql -h /tmp -v ON_ERROR_STOP=1 -f /seed.sql", asPostgres);
          },
        },
      },
    }),
  ],
});
