// The host's side of a mediation channel: gives each body that connects the work in the arguments, prints what became of it,
// and ends when all of it is done.
//   node host.ts 9900 "first text" "second text"      (Node 22.18 and later run TypeScript as it is)
import { createServer, type Socket } from "node:net";
import { loadMediationProtocol, type WorkRequest, type WorkResult } from "microagent-ci";

const {
  WorkRequest: requests,
  WorkResult: results,
  LifecycleSignal: signals,
  encodeMessage,
  readMessages,
} = await loadMediationProtocol();
const [port = "9900", ...texts] = process.argv.slice(2);

const open: WorkRequest[] = texts.map((content, index) =>
  requests.parse({
    request_id: `req-${String(index + 1).padStart(3, "0")}`,
    // Whoever stands behind the work: say "verified" only of what was verified.
    principal: { name: "example", kind: "user", verified: true, verified_by: "the shell's user" },
    content,
    constraints_version: 0,
    bounds: { max_duration_seconds: 60 },
    submitted_at: new Date().toISOString(),
    audit_ref: `example/${index + 1}`,
  }),
);
let unanswered = open.length;

/** One body: the next request when it is ready for one, until there are none. */
async function serve(socket: Socket): Promise<void> {
  let asked: WorkRequest | null = null;
  const next = () => {
    asked = open.shift() ?? null;
    if (asked === null) socket.end();
    else socket.write(encodeMessage(asked));
  };
  try {
    // microagent looks whether anybody listens by connecting and closing: such a connection says nothing.
    for await (const message of readMessages(socket)) {
      const signal = signals.safeParse(message);
      if (signal.success) {
        console.log(`${signal.data.agent_id}: ${signal.data.signal}`);
        if (signal.data.signal === "ready") next();
        continue;
      }
      const result: WorkResult = results.parse(message);
      if (asked === null || result.request_id !== (asked as WorkRequest).request_id) {
        throw new Error("A result nobody asked for");
      }
      console.log(JSON.stringify(result));
      unanswered -= 1;
      next();
    }
  } catch (error) {
    console.error(`A body was dropped: ${error instanceof Error ? error.message : error}`);
  } finally {
    socket.destroy();
    // What it did not answer is work for the next one.
    if (asked !== null) open.unshift(asked);
    if (unanswered === 0) server.close();
  }
}

const server = createServer((socket) => {
  socket.on("error", () => {});
  void serve(socket);
});
server.listen(Number(port), "127.0.0.1", () => {
  const address = server.address();
  console.log(`listening on 127.0.0.1:${typeof address === "object" ? address?.port : address}`);
});
