// The other end of what netload does, in a process of its own, as it would be in a network. Prints its ports as JSON and then, for
// every line of its input, how many connections are open.
import { readFileSync } from "node:fs";
import { createServer as createHttps } from "node:https";
import { createServer } from "node:net";
import { createInterface } from "node:readline";

const blockBytes = 256 * 1024;
let open = 0;

const plain = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
  open += 1;
  socket.on("close", () => {
    open -= 1;
  });
  socket.on("error", () => socket.destroy());
  let line = "";
  const first = (bytes) => {
    const end = bytes.indexOf(0x0a);
    line += bytes.subarray(0, end < 0 ? undefined : end).toString("latin1");
    if (end < 0) return;
    socket.off("data", first);
    const [verb, argument] = line.split(" ");
    if (verb === "ping") socket.end("pong\n");
    else if (verb === "send") send(socket, Number(argument));
    else take(socket, bytes.subarray(end + 1), argument === "exact");
  };
  socket.on("data", first);
});

/** The one stream that everybody sends: each little-endian word is its number. */
function send(socket, size) {
  let sent = 0;
  const more = () => {
    while (sent < size) {
      const words = new Uint32Array(blockBytes / 4);
      const from = sent / 4;
      for (let at = 0; at < words.length; at++) words[at] = from + at;
      const block = new Uint8Array(words.buffer, 0, Math.min(blockBytes, size - sent));
      sent += block.length;
      if (!socket.write(block)) return socket.once("drain", more);
    }
    socket.end();
  };
  more();
}

function take(socket, rest, exact) {
  let total = 0;
  let wrong = -1;
  const check = (bytes) => {
    if (exact && wrong < 0) {
      for (let at = 0; at < bytes.length; at++) {
        const position = total + at;
        const byte = (Math.floor(position / 4) >>> ((position % 4) * 8)) & 0xff;
        if (bytes[at] === byte) continue;
        wrong = position;
        break;
      }
    }
    total += bytes.length;
  };
  check(rest);
  socket.on("data", check);
  socket.on("end", () => socket.end(wrong < 0 ? `took ${total}\n` : `wrong at ${wrong}\n`));
}

const [, , pem] = process.argv;
const tls = pem === undefined ? null : JSON.parse(readFileSync(pem, "utf8"));
const secure = createHttps(tls ?? {}, (request, response) => {
  let left = Number(request.url.slice(1));
  const block = Buffer.alloc(blockBytes);
  const more = () => {
    while (left > 0) {
      const part = block.subarray(0, Math.min(left, blockBytes));
      left -= part.length;
      if (!response.write(part)) return response.once("drain", more);
    }
    response.end();
  };
  response.writeHead(200, { "content-length": String(left) });
  more();
});

plain.listen(0, "127.0.0.1", () => {
  secure.listen(0, "127.0.0.1", () => {
    process.stdout.write(
      `${JSON.stringify({ plain: plain.address().port, secure: secure.address().port })}\n`,
    );
  });
});
const input = createInterface({ input: process.stdin });
input.on("line", () => process.stdout.write(`${open}\n`));
input.on("close", () => process.exit(0));
