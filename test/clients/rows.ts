/** One call of a client in the guest. What is not said to be refused leaves no denial and no error in the audit. */
export interface Row {
  readonly what: string;
  /** A shell script of root, which fails unless the client got what it should. */
  readonly run: string;
  /** What the script prints, where that says more than its exit code. */
  readonly prints?: RegExp;
  /** Something is refused, or flagged: the audit has a line like each of these, and no other. */
  readonly refused?: readonly RegExp[];
  /** What the receipt proposes for the list then. */
  readonly proposed?: readonly string[];
}

const equal = (got: string, expected: string) => `test "$(${got})" = "${expected}"`;
const python = (text: string) => `python3 - <<'END'\n${text}\nEND`;
const node = (text: string) => `node --input-type=module - <<'END'\n${text}\nEND`;

export const webRows: readonly Row[] = [
  {
    what: "curl over HTTP/1.1, HTTP/2, and HTTP/3, which falls back",
    run: `for v in --http1.1:1.1 --http2:2 --http3:2; do
      ${equal("curl -sS $(echo $v | cut -d: -f1) -w '%{http_version}' -o /dev/null https://web.example.test/", "$(echo $v | cut -d: -f2)")}
    done`,
    refused: [/^(web\.example\.test|198\.18\..*): UDP|quic|443/i],
    proposed: [],
  },
  {
    what: "curl asks twice on one connection",
    run: equal(
      "curl -sS -w '%{num_connects}' -o /dev/null -o /dev/null http://plain.example.test/a http://plain.example.test/b",
      "10",
    ),
  },
  {
    what: "wget and busybox wget",
    run: `${equal("wget -qO- http://plain.example.test/a", "GET /a HTTP/1.1 0")}
      wget -qO- --ca-certificate=$SSL_CERT_FILE https://web.example.test/a; busybox wget -qO- http://plain.example.test/a`,
  },
  {
    what: "aria2c with four connections",
    run: "cd /tmp && aria2c -q -x4 -k1M --allow-overwrite=true -o aria http://plain.example.test/a && grep -q 'GET /a' aria",
  },
  {
    what: "requests, httpx over HTTP/2, aiohttp and urllib, three times each",
    run: python(`
import asyncio, os, urllib.request
import aiohttp, httpx, requests, ssl
url = "https://web.example.test/"
roots = os.environ["SSL_CERT_FILE"]
with requests.Session() as session:
    for _ in range(3): assert session.get(url).status_code == 200
context = ssl.create_default_context(cafile=roots)
with httpx.Client(http2=True, verify=context) as client:
    for _ in range(3): assert client.get(url).http_version == "HTTP/2"
# httpx has changed what the other one offers.
context = ssl.create_default_context(cafile=roots)
async def main():
    async with aiohttp.ClientSession() as session:
        for _ in range(3):
            async with session.post(url, data=b"hello", ssl=context) as answer: assert answer.status == 200
asyncio.run(main())
for _ in range(3): assert urllib.request.urlopen(url, context=context).status == 200`),
  },
  {
    what: "Node's fetch, https with an agent, http2",
    run: node(`
import { once } from "node:events";
import { connect } from "node:http2";
import { Agent, get } from "node:https";
const url = "https://web.example.test/";
for (let at = 0; at < 3; at += 1) if ((await fetch(url)).status !== 200) process.exit(1);
const agent = new Agent({ keepAlive: true, maxSockets: 1 });
for (let at = 0; at < 3; at += 1) {
  const [message] = await once(get(url, { agent }), "response");
  for await (const _ of message);
}
agent.destroy();
const session = connect(url);
for (let at = 0; at < 3; at += 1) {
  const stream = session.request({ ":path": "/" });
  for await (const _ of stream);
}
session.close();`),
  },
  {
    what: "Java's HttpClient as it comes: GET twice and POST, over http and https",
    run: "java -XX:TieredStopAtLevel=1 /clients/Ask.java $SSL_CERT_FILE http://plain.example.test/ https://web.example.test/",
    prints:
      /(200 GET \/ HTTP\/1\.1 0\s+){2}200 POST \/ HTTP\/1\.1 5\s+(200 GET \/ HTTP\/2\.0 0\s+){2}200 POST/,
  },
  {
    what: "curl that would like HTTP/2 without TLS posts one byte, a word, 300,000 bytes",
    run: `head -c 300000 /dev/zero > /tmp/body
      for given in x hello @/tmp/body; do curl -sS --http2 --data-binary $given http://plain.example.test/; done`,
    prints: /POST \/ HTTP\/1\.1 1\s+POST \/ HTTP\/1\.1 5\s+POST \/ HTTP\/1\.1 300000/,
  },
  {
    what: "HTTP/2 without TLS where the port is listed",
    run: "curl -sS --http2-prior-knowledge -d hello http://h2c.example.test:8082/ && /clients/go-client h2c h2c.example.test 8082 h2c.example.test:8082",
    prints: /POST \/ HTTP\/2\.0 5/,
  },
  {
    what: "HTTP/2 without TLS where it is not",
    run: "! curl -sS --http2-prior-knowledge http://bare.example.test:8082/",
    refused: [/^bare\.example\.test: HTTP\/2 without TLS is not read$/],
    proposed: ["bare.example.test:8082"],
  },
  {
    what: "pip",
    run: "PIP_CERT=$SSL_CERT_FILE pip install -q --break-system-packages --index-url https://pypi.example.test/simple greeting && python3 -c 'import greeting; print(greeting.TEXT)'",
    prints: /installed from an index/,
  },
  {
    what: "git over HTTPS, and git's own protocol: clone and push",
    run: `export GIT_SSL_CAINFO=$SSL_CERT_FILE; cd /tmp; git config --global user.email a@example.test; git config --global user.name a
      for url in https://git.example.test/repo.git git://gitd.example.test/repo.git; do
        rm -rf work; git clone -q $url work; cd work; date > file-$$; git add .; git commit -qm one
        git push -q $url HEAD:refs/heads/of-$(echo $url | cut -c1-3); cd ..
      done`,
  },
  {
    what: "git over SSH, ssh, scp",
    run: `cd /tmp; ssh $SSH_WORDS ssh.example.test echo over ssh; scp $SSH_WORDS /etc/hostname ssh.example.test:/dev/null
      GIT_SSH_COMMAND="ssh $SSH_WORDS" git ls-remote ssh://ssh.example.test$GIT_DIR_OF_HOST/repo.git`,
    prints: /over ssh/,
  },
];
