import fc from "fast-check";
import { expect, test } from "vitest";
import { isMicroagentError } from "../../../../src/base/errors.ts";
import { listingOf } from "../../../fixtures/build-listing.ts";
import { type Action, entryOf, inModelWords, naiveTree } from "./model.ts";

const name = fc.constantFrom("a", "b", "c", "d");
const path = fc.array(name, { minLength: 1, maxLength: 4 }).map((parts) => parts.join("/"));
const data = fc
  .tuple(fc.constantFrom("x", "y", "z"), fc.constantFrom(0, 1, 511, 4096, 4097, 20_000))
  .map(([letter, length]) => letter.repeat(length));
const action: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant("file" as const), path, data, uid: fc.nat(9) }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("dir" as const),
      path,
      mode: fc.constantFrom(0o755, 0o700, 0o1777),
    }),
  },
  {
    weight: 1,
    // A target that leads nowhere: going through it is another test's business.
    arbitrary: fc.record({
      do: fc.constant("link" as const),
      path,
      target: fc.constant("nowhere"),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("whiteout" as const), path }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("opaque" as const), path }) },
);
const layers = fc.array(fc.array(action, { minLength: 1, maxLength: 12 }), {
  minLength: 1,
  maxLength: 4,
});

/** Going through a link leads elsewhere in the real tree and is no directory to the model. */
function passesThroughLink(all: readonly (readonly Action[])[]): boolean {
  const links = new Set(all.flat().flatMap((one) => (one.do === "link" ? [one.path] : [])));
  return all.flat().some((one) => {
    const parts = one.path.split("/");
    const own = one.do === "opaque" ? parts.length : parts.length - 1;
    return parts.some((_, i) => i < own && links.has(parts.slice(0, i + 1).join("/")));
  });
}

test("random layers give the tree that the obvious implementation gives", async () => {
  let compared = 0;
  await fc.assert(
    fc.asyncProperty(layers, async (all) => {
      fc.pre(!passesThroughLink(all));
      const wanted = naiveTree(all);
      try {
        const found = await listingOf(...all.map((actions) => actions.map(entryOf)));
        expect(inModelWords(found)).toEqual(wanted);
        compared++;
      } catch (error) {
        if (!isMicroagentError(error)) throw error;
        expect([wanted, error.code]).toEqual([null, "image_corrupt"]);
      }
    }),
    { numRuns: 150 },
  );
  expect(compared).toBeGreaterThan(30);
});
