import { createWriteStream } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { MicroagentError } from "../../src/base/errors.ts";
import type { Op } from "../../src/base/op.ts";
import { fileError } from "../../src/host/file-error.ts";
import { makeTempDir } from "../../src/host/files.ts";

/**
 * Takes one stream that `send` makes QEMU write, into a new file (0600). QEMU is given a socket in a private
 * directory: a machine can be saved more than once, so no descriptor that it inherited would do.
 */
export async function receiveState(
  op: Op,
  path: string,
  bytesMax: number,
  send: (uri: string) => Promise<void>,
): Promise<void> {
  await using dir = await makeTempDir(tmpdir(), "microagent-save-");
  const socketPath = join(dir.path, "state");
  const server = createServer();
  try {
    const written = new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.once("connection", (socket) => {
        pipeline(socket, cap(bytesMax), createWriteStream(path, { flags: "wx", mode: 0o600 })).then(
          resolve,
          reject,
        );
      });
    });
    written.catch(() => {});
    await op.race(
      new Promise<void>((resolve, reject) => {
        server.once("error", reject);
        server.listen(socketPath, resolve);
      }),
    );
    // A disk that is full ends the stream early; that reason is better than QEMU's "broken pipe".
    const sent = send(`unix:${socketPath}`);
    await Promise.race([sent, written]).catch(() => {});
    await op.race(written);
    await sent;
  } catch (error) {
    op.check();
    throw fileError(error, `The machine's state cannot be saved to "${path}"`);
  } finally {
    server.close();
  }
}

function cap(bytesMax: number): Transform {
  let bytes = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.length;
      if (bytes <= bytesMax) return done(null, chunk);
      done(
        new MicroagentError("vmm_failed", `QEMU wrote more than ${bytesMax} bytes of its state`),
      );
    },
  });
}
