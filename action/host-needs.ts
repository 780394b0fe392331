import type { Check, Diagnosis } from "../src/index.ts";

/** Images that are made here, from packages whose signatures somebody must be able to check. */
export function isBuiltHere(image: string): boolean {
  return image.startsWith("mmdebstrap:");
}

/** The checks worth mending before a run: what keeps machines from booting, and what makes its image. */
export function needsOf({ checks }: Diagnosis, builds: boolean): Check[] {
  const failed = checks.filter(({ verdict }) => verdict === "failed");
  const builder = checks.find(({ id, verdict }) => id === "mmdebstrap" && verdict !== "ok");
  if (!builds || builder === undefined) return failed;
  const others = failed.filter(({ id }) => id !== builder.id);
  const packages = [...(builder.remedy?.packages ?? []), "debian-archive-keyring"];
  const command = `apt-get install -y ${packages.join(" ")}`;
  return [...others, { ...builder, remedy: { command, packages, kernel: false } }];
}
