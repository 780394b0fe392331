import { describe, expect, type Machine, test } from "microagent-ci/vitest/test";

/** The database is running and seeded when a test gets its machine. */
async function query(vm: Machine, sql: string): Promise<string> {
  const result = await vm.exec(["psql", "-h", "/tmp", "-At", "-c", sql], {
    user: "postgres",
    check: true,
  });
  return result.stdout.trim();
}

describe.concurrent("tests that write at the same time", () => {
  for (const id of [1, 2, 3, 4]) {
    test(`writer ${id} sees its own changes and nobody else's`, async ({ vm, expect: own }) => {
      await query(vm, `UPDATE account SET balance = balance + ${id} WHERE id <= 10`);
      await query(vm, `DELETE FROM account WHERE id > ${id * 100}`);
      own(await query(vm, "SELECT count(*) FROM account")).toBe(`${id * 100}`);
      own(await query(vm, "SELECT sum(balance) FROM account WHERE id <= 10")).toBe(
        `${1000 + 10 * id}`,
      );
    });
  }
});

test("a constraint holds", async ({ vm }) => {
  const result = await vm.exec({
    user: "postgres",
  })`psql -h /tmp -c ${"UPDATE account SET balance = -1"}`;
  expect(result).toExitWith(1);
  expect(result.stderr).toContain("account_balance_check");
});

test("what was committed survives the end of all its processes", async ({ vm }) => {
  await query(vm, "INSERT INTO account VALUES (5000, 'late', 7)");
  const server = { user: "postgres", timeout: 60_000 };
  const control = "/usr/lib/postgresql/15/bin/pg_ctl -D /srv/db -w";
  await vm.shell(`${control} stop -m immediate`, server);
  await vm.waitFor.closedPort(5432);
  await vm.shell(`${control} -o "-k /tmp" -l /srv/db/log start`, server);
  expect(await query(vm, "SELECT balance FROM account WHERE id = 5000")).toBe("7");
  expect(await vm.readFile("/srv/db/log", "utf8")).toContain("was not properly shut down");
});
