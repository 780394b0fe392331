import { plainFigure, ratioFigure } from "../figure.mjs";
import { interleave, quantile } from "../measure.mjs";
import { openWorld, startGuest } from "../net/guest.mjs";
import { withOp } from "../product.mjs";
import { execTrue } from "./exec.mjs";

const MiB = 1024 * 1024;
const transferMib = 32;
const tlsMib = 8;
const requestsPerRun = 20;
const floorSize = { cpus: 2, memoryMib: 1024 };

/** Connections of a guest, against the raw port that carries them and beside QEMU's own user network. */
export const net = {
  name: "net",
  async run(bench, runs, onRound) {
    const world = await openWorld();
    const guarded = await startGuest(bench, world, "guarded");
    const off = await startGuest(bench, world, "off");
    const floor = await bench.startFloor(floorSize);
    try {
      return [
        ...(await throughput({ guarded, off, floor }, runs, onRound)),
        ...(await latency(guarded, runs)),
        ...(await encrypted(guarded, runs)),
        ...(await churn(world, guarded)),
      ];
    } finally {
      await floor.end();
      await guarded.close();
      await off.close();
      await world.close();
    }
  },
};

async function throughput({ guarded, off, floor }, runs, onRound) {
  const bytes = transferMib * MiB;
  const content = Buffer.alloc(bytes);
  const rate = async (guest, verb, to) =>
    transferMib / (await guest.load(verb, to, bytes, "any")).seconds;
  const samples = await interleave(
    runs,
    {
      floorIn: () => hostRate(() => floor.push(content)),
      in: () => rate(guarded, "receive", guarded.ours),
      offIn: () => rate(off, "receive", off.ours),
      slirpIn: () => rate(guarded, "receive", guarded.slirp),
      floorOut: () => hostRate(() => floor.pull(bytes)),
      out: () => rate(guarded, "send", guarded.ours),
      offOut: () => rate(off, "send", off.ours),
      slirpOut: () => rate(guarded, "send", guarded.slirp),
    },
    onRound,
  );
  const atLeast = (target) => ({ target, direction: "at-least" });
  return [
    ["In", "host to guest"],
    ["Out", "guest to host"],
  ].flatMap(([way, said]) => {
    const ours = samples[way.toLowerCase()];
    const figure = { name: `TCP, ${said}`, unit: "MiB/s", ours };
    return [
      ratioFigure({
        ...{ ...figure, floor: samples[`floor${way}`], floorName: "raw virtio-serial" },
        ...atLeast(0.6),
      }),
      ratioFigure({
        ...{ ...figure, floor: samples[`slirp${way}`], floorName: "QEMU's user network" },
        ...atLeast(1),
      }),
      ratioFigure({
        ...{ ...figure, floor: samples[`off${way}`], floorName: "the same under off" },
        ...atLeast(0.9),
      }),
    ];
  });
}

async function hostRate(work) {
  const started = performance.now();
  await work();
  return transferMib / ((performance.now() - started) / 1000);
}

/** Connect, one line there, one back, until the end; measured in the guest. */
async function latency(guest, runs) {
  const take = async (to) => (await guest.load("requests", to, requestsPerRun)).milliseconds;
  const all = { ours: [], slirp: [], exec: [] };
  for (let round = 0; round <= runs; round++) {
    const ours = await take(guest.ours);
    const slirp = await take(guest.slirp);
    const exec = [];
    for (let at = 0; at < requestsPerRun; at++) {
      const started = performance.now();
      await withOp("bench", (op) => execTrue(op, guest.workspace));
      exec.push(performance.now() - started);
    }
    if (round === 0) continue;
    all.ours.push(...ours);
    all.slirp.push(...slirp);
    all.exec.push(...exec);
  }
  const figure = (share, name, floor, floorName) =>
    plainFigure({
      ...{ name: `connect and request, ${name}`, unit: "ms", floorName },
      ...{ ours: [quantile(all.ours, share)], floor: [quantile(floor, share)] },
    });
  return [
    figure(0.5, "p50", all.exec, "a round trip of /bin/true"),
    figure(0.99, "p99", all.exec, "a round trip of /bin/true"),
    figure(0.5, "p50", all.slirp, "QEMU's user network"),
    figure(0.99, "p99", all.slirp, "QEMU's user network"),
  ];
}

async function encrypted(guest, runs) {
  const get = async (to, name) => await guest.load("tls-receive", to, name, tlsMib * MiB);
  const connects = { swap: [], splice: [] };
  const rate = async (which, name) => {
    const { seconds, connect } = await get(guest[which], name);
    connects[which].push(connect * 1000);
    return tlsMib / seconds;
  };
  const samples = await interleave(runs, {
    swap: () => rate("swap", "swap.test"),
    splice: () => rate("splice", "splice.test"),
  });
  return [
    plainFigure({
      ...{ name: "HTTPS with a swapped credential", unit: "MiB/s", ours: samples.swap },
      ...{ floor: samples.splice, floorName: "spliced" },
    }),
    plainFigure({
      ...{ name: "its connection and handshake", unit: "ms", ours: connects.swap.slice(1) },
      ...{ floor: connects.splice.slice(1), floorName: "spliced" },
    }),
  ];
}

/** A thousand connections, two hundred at once; whatever stays afterwards ends the benchmark. */
async function churn(world, guest) {
  const sockets = () => process.getActiveResourcesInfo().filter((name) => name.startsWith("TCP"));
  await guest.load("churn", guest.ours, 400, 200);
  const before = {
    agent: await guest.agentMemory(),
    host: residentMib(),
    sockets: sockets().length,
  };
  const { seconds, refused: first } = await guest.load("churn", guest.ours, 1000, 200);
  let refused = first;
  for (let more = 0; more < 4; more++) {
    refused += (await guest.load("churn", guest.ours, 1000, 200)).refused;
  }
  await new Promise((resolve) => setTimeout(resolve, 2_000));
  const left = { server: await world.open(), ours: sockets().length - before.sockets };
  if (left.server > 0 || left.ours > 0) throw new Error(`Left open: ${JSON.stringify(left)}`);
  const grown = (name, unit, value) => plainFigure({ name, unit, ours: [value] });
  return [
    grown("1,000 connections, 200 at once", "per s", 1000 / seconds),
    grown("5,000 of them, refused at first", "", refused),
    grown(
      "5,000 of them, growth of the agent",
      "MiB",
      ((await guest.agentMemory()) - before.agent) / 1024,
    ),
    grown("5,000 of them, growth of the host process", "MiB", residentMib() - before.host),
  ];
}

function residentMib() {
  globalThis.gc?.();
  return process.memoryUsage().rss / MiB;
}
