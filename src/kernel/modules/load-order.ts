import type { ModuleInfo } from "./modinfo.ts";
import { moduleName } from "./modinfo.ts";
import type { LoadPhase, WantedModule } from "./wanted.ts";

/** What a kernel has: modules that can be looked into, and what is built in. */
export interface ModuleCatalogue {
  /** Null when there is no such module file. */
  info(name: string): Promise<ModuleInfo | null>;
  isBuiltIn(name: string): boolean;
}

export interface LoadOrder {
  /** Every module to load, each behind all it depends on. */
  readonly modules: readonly { readonly name: string; readonly phase: LoadPhase }[];
  /** Required modules that are neither files nor built in. */
  readonly missing: readonly string[];
}

/**
 * Puts the wanted modules and all they depend on into load order. A module that an earlier one pulled
 * in keeps the earlier phase; one whose own dependency is absent is left out (and missing, when
 * required), because the kernel would refuse it.
 */
export async function loadOrder(
  catalogue: ModuleCatalogue,
  wanted: readonly WantedModule[],
): Promise<LoadOrder> {
  const placed = new Map<string, LoadPhase>();
  const missing: string[] = [];
  for (const { name, phase, required } of wanted) {
    const chain = await chainOf(catalogue, moduleName(name), new Set());
    if (chain === null) {
      if (required) missing.push(name);
      continue;
    }
    for (const link of chain) if (!placed.has(link)) placed.set(link, phase);
  }
  return { modules: [...placed].map(([name, phase]) => ({ name, phase })), missing };
}

/** The module behind everything it needs; empty when built in, null when it cannot be loaded. */
async function chainOf(
  catalogue: ModuleCatalogue,
  name: string,
  above: ReadonlySet<string>,
): Promise<string[] | null> {
  // Soft dependencies may point in a circle; the module above is already on its way.
  if (above.has(name) || catalogue.isBuiltIn(name)) return [];
  const info = await catalogue.info(name);
  if (info === null) return null;
  const here = new Set(above).add(name);
  const chain: string[] = [];
  for (const soft of info.before) chain.push(...((await chainOf(catalogue, soft, here)) ?? []));
  for (const hard of info.depends) {
    const below = await chainOf(catalogue, hard, here);
    if (below === null) return null;
    chain.push(...below);
  }
  return [...new Set([...chain, name])];
}
