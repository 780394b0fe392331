/** The next step after a build that failed, by what mmdebstrap said of it. */
export function mmdebstrapHint(stderr: string): string {
  for (const [pattern, hint] of hints) if (pattern.test(stderr)) return hint;
  return "Check that this host can reach its package mirror: apt-get update";
}

const hints: readonly (readonly [RegExp, string])[] = [
  [/Unable to locate package/, "Search for it with: apt-cache search NAME"],
  [
    /newuidmap|subuid|unshare|unable to pick chroot mode/,
    "Install what needs no privilege: apt-get install --yes fakechroot fakeroot; or let this user make user namespaces: apt-get install --yes uidmap, then usermod --add-subuids 100000-165535 --add-subgids 100000-165535 USER; or run as root",
  ],
  [
    /arch-test|foreign architecture/,
    "Let this host run programs of that architecture: apt-get install --yes arch-test qemu-user-static binfmt-support",
  ],
  [
    /does not have a Release file/,
    "A host knows the suites of its own distribution, such as: grep VERSION_CODENAME /etc/os-release",
  ],
  [
    /NO_PUBKEY|not signed|Can't find.*keyring/,
    "Install the distribution's keyring, for example: apt-get install --yes debian-archive-keyring",
  ],
];
