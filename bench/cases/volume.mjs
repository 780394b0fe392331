import { plainFigure } from "../figure.mjs";
import { openWorld, startGuest } from "../net/guest.mjs";

const MiB = 1024 * 1024;
/** The last one is more than a TCP sequence number counts. */
const sizesMib = [1, 100, 5 * 1024];

/** Each byte of long transfers, both ways: whoever receives one compares it with what was to be sent. */
export const volume = {
  name: "volume",
  async run(bench, _runs, onRound) {
    const world = await openWorld();
    const guest = await startGuest(bench, world, "guarded");
    const figures = [];
    try {
      for (const [at, mib] of sizesMib.entries()) {
        onRound(at + 1, sizesMib.length);
        for (const [verb, way] of [
          ["receive", "host to guest"],
          ["send", "guest to host"],
        ]) {
          const { seconds } = await guest.load(verb, guest.ours, mib * MiB, "exact");
          const name = `${mib} MiB ${way}, every byte compared`;
          figures.push(plainFigure({ name, unit: "MiB/s", ours: [mib / seconds] }));
        }
      }
      return figures;
    } finally {
      await guest.close();
      await world.close();
    }
  },
};
