// @ts-check

/**
 * The command that a failed bootstrap named for packages which only root can install, without `sudo`, because
 * root runs it. Null when it named none.
 *
 * @param {string} output @returns {string | null}
 */
export function packagesCommand(output) {
  const named = [...output.matchAll(/^ *try: (?:as root: )?((?:sudo )?apt-get [\w+.& -]+)$/gm)].at(
    -1,
  )?.[1];
  return named?.replaceAll("sudo ", "") ?? null;
}
