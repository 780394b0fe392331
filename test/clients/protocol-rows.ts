import type { Row } from "./rows.ts";

const python = (text: string) => `python3 - <<'END'\n${text}\nEND`;
const s_client = (words: string) =>
  `printf 'GET / HTTP/1.0\\r\\nHost: web.example.test\\r\\n\\r\\n' | timeout 20 openssl s_client -quiet ${words}`;

export const protocolRows: readonly Row[] = [
  {
    what: "WebSockets of Python, with and without TLS",
    run: python(`
import asyncio, os, ssl, websockets
context = ssl.create_default_context(cafile=os.environ["SSL_CERT_FILE"])
async def main(url, **more):
    async with websockets.connect(url, **more) as socket:
        await socket.recv()
        await socket.send("hello")
        assert await socket.recv() == "hello"
asyncio.run(main("ws://ws.example.test/"))
asyncio.run(main("wss://wss.example.test/", ssl=context))`),
  },
  {
    what: "a frame that comes before the 101",
    run: `printf 'GET / HTTP/1.1\\r\\nHost: ws.example.test\\r\\nConnection: Upgrade\\r\\nUpgrade: websocket\\r\\nSec-WebSocket-Version: 13\\r\\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\\r\\n\\r\\n\\201\\205abcdhello' | timeout 20 nc -N ws.example.test 80; true`,
    refused: [/^ws\.example\.test: .*before the server has agreed/],
    proposed: [],
  },
  {
    what: "grpcio over TLS: a call and a stream",
    run: python(`
import grpc, os
roots = open(os.environ["SSL_CERT_FILE"], "rb").read()
with grpc.secure_channel("grpc.example.test:443", grpc.ssl_channel_credentials(roots)) as channel:
    assert channel.unary_unary("/test.Echo/once")(b"hello", timeout=60) == b"hello"
    assert list(channel.stream_stream("/test.Echo/each")(iter([b"a", b"b"]), timeout=60)) == [b"a", b"b"]`),
  },
  {
    what: "grpcio without TLS where the port is listed",
    run: python(`
import grpc
with grpc.insecure_channel("grpcp.example.test:50051") as channel:
    assert channel.unary_unary("/test.Echo/once")(b"hello", timeout=60) == b"hello"`),
  },
  {
    what: "grpcio without TLS where it is not",
    run: python(`
import grpc
with grpc.insecure_channel("bare.example.test:50051") as channel:
    try: channel.unary_unary("/test.Echo/once")(b"hello", timeout=20)
    except grpc.RpcError as error: print(error.code())
    else: raise SystemExit("answered")`),
    prints: /UNAVAILABLE|DEADLINE/,
    refused: [/^bare\.example\.test: HTTP\/2 without TLS is not read$/],
    proposed: ["bare.example.test:50051"],
  },
  {
    what: "psql without TLS, and with it",
    run: `psql "host=pg.example.test user=someone dbname=postgres sslmode=disable" -Atc 'select 1+1'
      psql "host=pg.example.test user=someone dbname=postgres sslmode=verify-full sslrootcert=$SSL_CERT_FILE" -Atc 'select 1+1'`,
    prints: /^2\s+2\s*$/,
  },
  {
    what: "mariadb without TLS, and with it",
    run: `mariadb -h sql.example.test -u someone --skip-ssl -Ne 'select 1+1'
      mariadb -h sql.example.test -u someone --ssl-verify-server-cert --ssl-ca=$SSL_CERT_FILE -Ne 'select 1+1'`,
    prints: /2\s+2/,
  },
  {
    what: "redis-cli, which speaks RESP, also for a command in capitals",
    run: "redis-cli -h cache.example.test SET key one; redis-cli -h cache.example.test GET key",
    prints: /OK\s+one/,
  },
  {
    what: "redis-cli --tls without a server name where the port is listed, and with one where it is not",
    run: `redis-cli -h cachetls.example.test -p 6380 --tls --cacert $SSL_CERT_FILE PING
      redis-cli -h cachebare.example.test -p 6380 --tls --sni cachebare.example.test --cacert $SSL_CERT_FILE PING`,
    prints: /PONG\s+PONG/,
  },
  {
    what: "redis-cli --tls without a server name where the port is not listed",
    run: "! redis-cli -h cachebare.example.test -p 6380 --tls --cacert $SSL_CERT_FILE PING",
    refused: [/^cachebare\.example\.test: TLS names no server$/],
    proposed: ["cachebare.example.test:6380"],
  },
  {
    what: "a command of Redis as a line of text, which some servers take for a request",
    run: "printf 'GET key\\r\\n' | timeout 20 nc -N cache.example.test 6379; true",
    refused: [/^cache\.example\.test: HTTP cannot be read/],
    proposed: [],
  },
  {
    what: "mosquitto without TLS, and with it",
    run: `mosquitto_pub -h mq.example.test -t a -m b
      mosquitto_pub -h mqs.example.test -p 8883 --cafile $SSL_CERT_FILE -t a -m b`,
  },
  {
    what: "smtplib and imaplib: STARTTLS, and TLS from the start",
    run: python(`
import imaplib, os, smtplib, ssl
context = ssl.create_default_context(cafile=os.environ["SSL_CERT_FILE"])
with smtplib.SMTP("smtp.example.test", 587) as mail:
    mail.starttls(context=context)
    mail.noop()
with smtplib.SMTP_SSL("smtps.example.test", 465, context=context) as mail: mail.noop()
mail = imaplib.IMAP4("imap.example.test", 143)
mail.starttls(ssl_context=context)
mail.logout()
imaplib.IMAP4_SSL("imaps.example.test", 993, ssl_context=context).logout()`),
  },
  {
    what: "ssh through a proxy's CONNECT",
    run: 'ssh $SSH_WORDS -o ProxyCommand="nc -X connect -x proxy.example.test:3128 %h $SSH_PORT" proxied.example.test echo through',
    prints: /through/,
  },
  {
    what: "ntpdig, and 4,000 bytes of UDP",
    run: `ntpdig -t 20 udp.example.test >/dev/null; head -c 4000 /dev/zero | timeout 20 socat -t5 - UDP:udp.example.test:123,shut-none | wc -c`,
    prints: /4000/,
  },
  {
    what: "curl through a proxy: two hosts on one connection, and CONNECT",
    run: `export http_proxy=http://proxy.example.test:3128 https_proxy=http://proxy.example.test:3128
      curl -sS -w ' %{num_connects} ' http://p1.example.test:$PLAIN_PORT/ http://p2.example.test:$PLAIN_PORT/
      curl -sS https://p3.example.test:$WEB_PORT/`,
    prints: / 1 [\s\S]* 0 [\s\S]*GET/,
  },
  {
    what: "an unlisted host through a proxy",
    run: "! curl -sS -x http://proxy.example.test:3128 http://other.example.test/",
    refused: [
      /^other\.example\.test: the proxy is asked for "other\.example\.test", which is not listed$/,
    ],
    proposed: ["other.example.test"],
  },
  {
    what: "OpenSSL with four key shares, GnuTLS, a ClientHello in pieces",
    run: `${s_client("-connect web.example.test:443 -servername web.example.test -groups '*X25519MLKEM768/*SecP384r1MLKEM1024/*SecP256r1MLKEM768/*X25519'")} | grep -q 'GET /'
      printf 'GET / HTTP/1.0\\r\\nHost: web.example.test\\r\\n\\r\\n' | gnutls-cli --x509cafile $SSL_CERT_FILE web.example.test | grep -q 'GET /'
      /clients/go-client pieces web.example.test 443 web.example.test:443 $SSL_CERT_FILE | grep -q 'POST /2'`,
  },
  {
    what: "TLS for another server",
    run: `! ${s_client("-connect web.example.test:443 -servername other.example.test")}`,
    refused: [/^other\.example\.test: TLS asks for "other\.example\.test"/],
    proposed: [],
  },
  {
    what: "methods X_Y and GET2 for another host",
    run: `for method in X_Y GET2; do
        test -z "$(printf "$method / HTTP/1.1\\r\\nHost: other.example.test\\r\\n\\r\\n" | timeout 20 nc -N odd.example.test 8081)"
      done`,
    refused: [/^other\.example\.test: HTTP asks for "other\.example\.test"/],
    proposed: [],
  },
  {
    what: "odd answers, to curl",
    run: `for path in folded twice line-feeds to-the-end 1.0 early-hints trailers; do
        test "$(curl -sS http://odd.example.test:8081/$path)" = body || exit 1
      done
      curl -sSI http://odd.example.test:8081/head >/dev/null
      test "$(curl -sS -o /dev/null -w '%{http_code}' http://odd.example.test:8081/none)" = 204
      head -c 100000000 /dev/zero > /tmp/large
      test "$(curl -sS -H Expect: -T /tmp/large -o /dev/null -w '%{http_code}' http://odd.example.test:8081/early)" = 413`,
  },
  {
    what: "nc -N: a line, text without a line's end, bytes",
    run: `for text in 'a line\\n' 'no line' '\\001\\002\\003'; do
        test "$(printf "$text" | timeout 20 nc -N echo.example.test 7001 | od -c)" = "$(printf "$text" | od -c)" || exit 1
      done`,
  },
  {
    what: "200 connections at once; of 300, those beyond the limit are refused at once",
    run: python(`
import socket
def openings(count):
    sockets, refused = [], 0
    for _ in range(count):
        try: sockets.append(socket.create_connection(("echo.example.test", 7001), timeout=30))
        except ConnectionRefusedError: refused += 1
    for one in sockets: one.close()
    return refused
assert openings(200) == 0
import time; time.sleep(3)
print("refused:", openings(300))`),
    // Some of the 256 may still be held by those before.
    prints: /^refused: (4[4-9]|[5-9][0-9])$/m,
    refused: [/256 flows are open already/],
    proposed: [],
  },
  {
    what: "the guest's own names",
    run: `getent hosts $(hostname); getent ahosts x.localhost; test "$(cat /etc/hostname)" = "$(hostname)"
      setpriv --reuid=1000 --regid=1000 --clear-groups ping -c1 -W5 10.0.2.2 >/dev/null`,
  },
  {
    what: "an unlisted name",
    run: "! timeout 15 git ls-remote https://unlisted.example.test/repo.git",
    refused: [/^unlisted\.example\.test: /],
    proposed: ["unlisted.example.test"],
  },
];

/** Clients of a host whose credential is swapped, with the environment that the guest gets for that. */
export const swapRows: readonly Row[] = [
  {
    what: "curl over HTTP/1.1 and HTTP/2, with 100 MB upwards",
    run: `head -c 100000000 /dev/zero > /tmp/large; for v in --http1.1 --http2; do curl -sS $v https://swap.example.test/ -T /tmp/large; done`,
    prints: /PUT \/large HTTP\/[12]\.[10] 100000000\s+PUT \/large HTTP\/2\.0 100000000/,
  },
  {
    what: "requests, httpx, aiohttp, urllib",
    run: python(`
import asyncio, urllib.request
import aiohttp, httpx, requests, ssl
url = "https://swap.example.test/"
assert requests.get(url).status_code == 200
with httpx.Client(http2=True, verify=ssl.create_default_context()) as client: assert client.get(url).status_code == 200
async def main():
    async with aiohttp.ClientSession() as session:
        async with session.get(url) as answer: assert answer.status == 200
asyncio.run(main())
assert urllib.request.urlopen(url).status == 200`),
  },
  {
    what: "Node's fetch",
    run: `node -e 'fetch("https://swap.example.test/").then((answer) => process.exit(answer.status === 200 ? 0 : 1))'`,
  },
  {
    what: "Java's HttpClient with the store that the guest gets",
    run: 'java -XX:TieredStopAtLevel=1 /clients/Ask.java "" https://swap.example.test/',
    prints: /200 GET \/ HTTP\/2\.0 0[\s\S]*200 POST/,
  },
  {
    what: "git over HTTPS",
    run: "git ls-remote https://swapgit.example.test/repo.git",
  },
  {
    what: "grpcio with the roots that the guest gets",
    run: python(`
import grpc
with grpc.secure_channel("swapgrpc.example.test:443", grpc.ssl_channel_credentials()) as channel:
    assert channel.unary_unary("/test.Echo/once")(b"hello", timeout=60) == b"hello"
    assert list(channel.stream_stream("/test.Echo/each")(iter([b"a", b"b"]), timeout=60)) == [b"a", b"b"]`),
  },
  {
    what: "WebSockets over TLS",
    run: python(`
import asyncio, ssl, websockets
async def main():
    async with websockets.connect("wss://swapws.example.test/", ssl=ssl.create_default_context()) as socket:
        print(await socket.recv())
        await socket.send("hello")
        assert await socket.recv() == "hello"
asyncio.run(main())`),
    prints: /key Bearer \*+/,
    refused: [/^swapws\.example\.test: credential-echo: redacted$/],
  },
  {
    what: "odd answers, to curl",
    run: `for path in folded twice line-feeds to-the-end 1.0 early-hints trailers; do
        for v in --http1.1 --http2; do test "$(curl -sS $v https://swapodd.example.test/$path)" = body || exit 1; done
      done
      head -c 100000000 /dev/zero > /tmp/large
      test "$(curl -sS --http1.1 -H Expect: -T /tmp/large -o /dev/null -w '%{http_code}' https://swapodd.example.test/early)" = 413`,
  },
];
