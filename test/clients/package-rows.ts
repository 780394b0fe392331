import type { Row } from "./rows.ts";

/** Package managers, and what else carries files. */
export const packageRows: readonly Row[] = [
  {
    what: "npm, pnpm and yarn",
    run: `export npm_config_registry=https://packages.example.test/npm/ YARN_REGISTRY=https://packages.example.test/npm/ NODE_EXTRA_CA_CERTS=$SSL_CERT_FILE npm_config_cafile=$SSL_CERT_FILE
      rm -rf /tmp/n && mkdir -p /tmp/n/1 /tmp/n/2 /tmp/n/3
      for one in 1 2 3; do echo '{"name":"a","version":"1.0.0","dependencies":{"greeting":"1.0.0"}}' > /tmp/n/$one/package.json; done
      cd /tmp/n/1 && node /npm/bin/npm-cli.js install --no-audit --no-fund --no-update-notifier && test -f node_modules/greeting/index.js
      cd /tmp/n/2 && node /managers/node_modules/pnpm/bin/pnpm.cjs install && test -f node_modules/greeting/index.js
      cd /tmp/n/3 && node /managers/node_modules/yarn/bin/yarn.js install --no-lockfile && test -f node_modules/greeting/index.js`,
  },
  {
    what: "go mod download",
    run: `export GOPROXY=https://packages.example.test/go GONOSUMDB='*' GOFLAGS=-mod=mod GONOSUMCHECK=1 GOTOOLCHAIN=local
      go mod download example.test/greeting@v1.0.0 && test -d $HOME/go/pkg/mod/example.test/greeting@v1.0.0`,
  },
  {
    what: "cargo fetch",
    run: `export CARGO_HTTP_CAINFO=$SSL_CERT_FILE; rm -rf /tmp/c; mkdir -p /tmp/c/src /tmp/c/.cargo; cd /tmp/c; : > src/lib.rs
      printf '[package]\\nname = "a"\\nversion = "1.0.0"\\nedition = "2021"\\n[dependencies]\\ngreeting = "1"\\n' > Cargo.toml
      printf '[source.crates-io]\\nreplace-with = "own"\\n[source.own]\\nregistry = "sparse+https://packages.example.test/cargo/"\\n' > .cargo/config.toml
      cargo fetch && ls $HOME/.cargo/registry/cache/*/greeting-1.0.0.crate`,
  },
  {
    what: "apt-get update and install",
    run: `echo 'deb [trusted=yes] http://debian.example.test/debian ./' > /tmp/sources.list
      words="-o Dir::Etc::sourcelist=/tmp/sources.list -o Dir::Etc::sourceparts=/nonexistent"
      apt-get $words update && apt-get $words install --yes greeting && dpkg -s greeting | grep -q 'install ok'`,
  },
  {
    what: "skopeo pulls and pushes",
    run: `cd /tmp; rm -rf image; skopeo --insecure-policy copy docker://registry.example.test/busybox:1 dir:image
      skopeo --insecure-policy copy dir:image docker://registry.example.test/again:1`,
  },
  {
    what: "curl over FTP, plain and over TLS, with the data ports listed as a range",
    run: `test "$(curl -sS ftp://ftp.example.test:$FTP_PORT/hello)" = hello
      test "$(curl -sS --ssl-reqd ftp://ftp.example.test:$FTP_PORT/hello)" = hello`,
  },
  {
    what: "active FTP has no way into the guest",
    run: "! timeout 60 curl -sS --connect-timeout 20 -m 40 -P - ftp://ftp.example.test:$FTP_PORT/hello",
    prints: /curl: \((30|28|12|10)\)/,
  },
  {
    what: "ldapsearch without TLS, with StartTLS, and with TLS",
    run: `export LDAPTLS_CACERT=$SSL_CERT_FILE
      for words in '-H ldap://ldap.example.test' '-ZZ -H ldap://ldap.example.test' '-H ldaps://ldaps.example.test'; do
        ldapsearch -x $words -s base -b '' | grep -q 'result: 0' || exit 1
      done`,
  },
  {
    what: "300 MB down and 100 MB up",
    run: `test "$(curl -sS https://large.example.test/300000000 | wc -c)" = 300000000
      test "$(curl -sS http://largeplain.example.test/300000000 | wc -c)" = 300000000
      head -c 100000000 /dev/zero > /tmp/large
      curl -sS -T /tmp/large https://web.example.test/; curl -sS -T /tmp/large http://plain.example.test/`,
    prints: /PUT \/large HTTP\/2\.0 100000000\s+PUT \/large HTTP\/1\.1 100000000/,
  },
  {
    what: "120 s of silence on a connection, and before its first byte",
    run: `python3 - <<'END'
import os, socket, ssl, time
def opened(name, port): return socket.create_connection((name, port), timeout=60)
request = b"GET / HTTP/1.1\\r\\nHost: %s\\r\\n\\r\\n"
context = ssl.create_default_context(cafile=os.environ["SSL_CERT_FILE"])
secure = context.wrap_socket(opened("web.example.test", 443), server_hostname="web.example.test")
text = opened("echo.example.test", 7001)
text.sendall(b"before")
assert text.recv(100) == b"before"
silent = opened("odd.example.test", 8081)
time.sleep(120)
secure.sendall(request % b"web.example.test")
assert secure.recv(100).startswith(b"HTTP/1.1 200")
text.sendall(b"after")
assert text.recv(100) == b"after"
silent.sendall(request % b"odd.example.test")
assert silent.recv(100).startswith(b"HTTP/1.1 200")
END`,
  },
];
