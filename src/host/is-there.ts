import { lstat } from "node:fs/promises";

/** Whether a name is taken, by whatever it is: also by a link that leads nowhere. */
export async function isThere(path: string): Promise<boolean> {
  return await lstat(path).then(
    () => true,
    () => false,
  );
}
