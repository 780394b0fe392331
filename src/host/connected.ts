import type { Socket } from "node:net";
import type { Op } from "../base/op.ts";

/** Waits, paused, until a socket is connected. Rejects with the system's error; closed when the op ends first. */
export async function connected(op: Op, socket: Socket): Promise<Socket> {
  socket.pause();
  try {
    await op.race(
      new Promise<void>((resolve, reject) => {
        socket.once("connect", resolve);
        socket.once("error", reject);
      }),
    );
    return socket;
  } catch (error) {
    socket.on("error", () => {});
    socket.destroy();
    throw error;
  }
}
