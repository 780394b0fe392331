import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";

/** A package index as `pip` sees one: a page of links, and files whose digests the page names. */
export interface HttpIndex extends AsyncDisposable {
  readonly port: number;
  /** Digest of the one package. */
  readonly sha256: string;
  /** Paths asked for, with the host they were asked of. */
  readonly requests: readonly string[];
}

const packageBytes: Uint8Array = Buffer.alloc(300_000, "wheel ");

export async function openHttpIndex(): Promise<HttpIndex> {
  const sha256 = createHash("sha256").update(packageBytes).digest("hex");
  const requests: string[] = [];
  const server = createServer((request, response) => {
    requests.push(`${request.headers.host}${request.url}`);
    if (request.url === "/simple/tool/") {
      response.end(`<a href="/files/tool-1.0.whl#sha256=${sha256}">tool-1.0.whl</a>`);
    } else if (request.url === "/files/tool-1.0.whl") response.end(packageBytes);
    else response.writeHead(404).end();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as { port: number }).port,
    sha256,
    requests,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
    },
  };
}
