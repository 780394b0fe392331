import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { loadOrder, type ModuleCatalogue } from "../../../../src/kernel/modules/load-order.ts";
import type { WantedModule } from "../../../../src/kernel/modules/wanted.ts";

function catalogue(
  modules: Readonly<Record<string, { depends?: string[]; before?: string[] }>>,
  builtIn: string[] = [],
): ModuleCatalogue {
  return {
    isBuiltIn: (name) => builtIn.includes(name),
    async info(name) {
      const found = modules[name];
      return found === undefined
        ? null
        : { depends: found.depends ?? [], before: found.before ?? [] };
    },
  };
}

function want(name: string, phase: "boot" | "extra" = "boot", required = true): WantedModule {
  return { name, phase, required };
}

async function names(...args: Parameters<typeof loadOrder>): Promise<string[]> {
  return (await loadOrder(...args)).modules.map(({ name }) => name);
}

describe("loadOrder", () => {
  it("puts dependencies first, each once, in the first wanted module's phase", async () => {
    const tree = catalogue({
      a: { depends: ["base"] },
      b: { depends: ["base", "late"] },
      base: {},
      late: {},
    });
    const order = await loadOrder(tree, [want("a"), want("b", "extra")]);
    expect(order).toEqual({
      modules: [
        { name: "base", phase: "boot" },
        { name: "a", phase: "boot" },
        { name: "late", phase: "extra" },
        { name: "b", phase: "extra" },
      ],
      missing: [],
    });
  });

  it("leaves out what is built in", async () => {
    const tree = catalogue({ a: { depends: ["core"] } }, ["core", "ext4"]);
    expect(await names(tree, [want("ext4"), want("a")])).toEqual(["a"]);
  });

  it("reports a required driver that is nowhere, and is silent on an optional one", async () => {
    const tree = catalogue({ broken: { depends: ["gone"] } });
    const order = await loadOrder(tree, [want("x"), want("y", "boot", false), want("broken")]);
    expect(order).toEqual({ modules: [], missing: ["x", "broken"] });
  });

  it("survives soft dependencies that are absent or point in a circle", async () => {
    const tree = catalogue({ a: { before: ["b", "gone"] }, b: { before: ["a"] } });
    expect(await names(tree, [want("a")])).toEqual(["b", "a"]);
  });

  it("takes dashes in a wanted name for underscores", async () => {
    expect(await names(catalogue({ virtio_rng: {} }), [want("virtio-rng")])).toEqual([
      "virtio_rng",
    ]);
  });

  it("places every module behind all it depends on, whatever the graph", async () => {
    const graph = fc
      .array(fc.array(fc.nat(30), { maxLength: 4 }), { minLength: 1, maxLength: 20 })
      // Only towards lower numbers: the kernel's own graph has no circles.
      .map((lists) => lists.map((list, at) => list.filter((to) => to < at).map((to) => `m${to}`)));
    await fc.assert(
      fc.asyncProperty(graph, async (lists) => {
        const tree = catalogue(
          Object.fromEntries(lists.map((depends, at) => [`m${at}`, { depends }])),
        );
        const order = await names(
          tree,
          lists.map((_, at) => want(`m${lists.length - 1 - at}`)),
        );
        expect(new Set(order).size).toBe(lists.length);
        lists.forEach((depends, at) => {
          for (const below of depends) {
            expect(order.indexOf(below)).toBeLessThan(order.indexOf(`m${at}`));
          }
        });
      }),
    );
  });
});
