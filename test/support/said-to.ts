import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";

/** A connection to an entrance of a gate. With a name and a file of roots it is TLS, whose protocol is HTTP/1.1. */
export async function opened(
  port: number,
  tls?: { readonly name: string; readonly caFile: string },
): Promise<Socket> {
  if (tls === undefined) return connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  const socket = connectTls({
    port,
    host: "127.0.0.1",
    servername: tls.name,
    ca: readFileSync(tls.caFile),
    ALPNProtocols: ["http/1.1"],
  });
  await once(socket, "secureConnect");
  return socket;
}

/** Says bytes, each piece by itself, and gives what came back, or "reset". `half`: whether it ends its half then. */
export async function saidTo(
  socket: Socket,
  pieces: readonly (string | Uint8Array)[],
  half: "ends" | "stays open" = "ends",
): Promise<string> {
  return await new Promise((resolve) => {
    const heard: Buffer[] = [];
    socket.on("data", (piece: Buffer) => heard.push(piece));
    socket.once("error", () => resolve("reset"));
    socket.once("end", () => {
      socket.destroy();
      resolve(Buffer.concat(heard).toString("latin1"));
    });
    for (const piece of pieces) {
      socket.write(typeof piece === "string" ? Buffer.from(piece, "latin1") : piece);
    }
    if (half === "ends") socket.end();
  });
}
