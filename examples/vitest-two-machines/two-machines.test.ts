import { expect, test } from "microagent-ci/vitest/test";

const ask = `import urllib.request
print(urllib.request.urlopen("http://web.test/hello.txt", timeout=3).read().decode(), end="")`;

test("a client finds a server by its name, and notices when the cable is out", async ({ boot }) => {
  const web = await boot({ name: "web" });
  await web.writeFile("/srv/hello.txt", "hello from web\n");
  await web.spawn(["python3", "-m", "http.server", "--directory", "/srv", "80"]);
  await web.waitFor.port(80, { timeout: 30_000 });

  const client = await boot({ name: "client", reach: { "web.test": web.port(80) } });
  const answer = () => client.exec(["python3", "-c", ask]);
  expect((await answer()).stdout).toBe("hello from web\n");

  await client.link.down();
  expect(await answer()).not.toSucceed();
  await client.link.up();
  expect((await answer()).stdout).toBe("hello from web\n");
});

test("nothing else can be reached", async ({ vm }) => {
  const result = await vm.exec(["python3", "-c", ask]);
  expect(result).not.toSucceed();
});
