import crypto from "node:crypto";
import { promisify } from "node:util";
import vm from "node:vm";
import { Worker } from "node:worker_threads";

const inWorker =
  "require('node:worker_threads').parentPort.postMessage([Math.random(), require('node:crypto').randomUUID()])";

/** What must never be the same in two machines, each drawn in another way. */
export async function draws(): Promise<Record<string, unknown>> {
  const [threadRandom, threadUuid] = await new Promise<[number, string]>((resolve, reject) => {
    new Worker(inWorker, { eval: true }).once("message", resolve).once("error", reject);
  });
  const { publicKey } = crypto.generateKeyPairSync("ed25519");
  return {
    random: Math.random(),
    another: Math.random(),
    uuid: crypto.randomUUID(),
    uuidUncached: crypto.randomUUID({ disableEntropyCache: true }),
    bytes: crypto.randomBytes(8).toString("hex"),
    bytesLater: (await promisify(crypto.randomBytes)(8)).toString("hex"),
    int: crypto.randomInt(2 ** 40),
    web: Buffer.from(globalThis.crypto.getRandomValues(new Uint8Array(8))).toString("hex"),
    key: publicKey.export({ format: "der", type: "spki" }).toString("hex"),
    context: vm.runInNewContext("Math.random()"),
    script: new vm.Script("Math.random()").runInNewContext(),
    made: vm.runInContext("Math.random()", vm.createContext({})),
    threadRandom,
    threadUuid,
  };
}
