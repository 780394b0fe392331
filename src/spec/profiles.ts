/** Names of the resource profiles, smallest first. */
export const profileNames = ["tiny", "small", "medium", "large"] as const;
export type ProfileName = (typeof profileNames)[number];

/** What a profile gives when neither a flag nor the spec says otherwise. */
export interface Profile {
  readonly memoryMib: number;
  readonly cpus: number;
  /** Writable disk. */
  readonly sizeMib: number;
}

export const profiles: Readonly<Record<ProfileName, Profile>> = {
  tiny: { memoryMib: 256, cpus: 1, sizeMib: 512 },
  small: { memoryMib: 512, cpus: 2, sizeMib: 1024 },
  medium: { memoryMib: 2048, cpus: 2, sizeMib: 8192 },
  large: { memoryMib: 4096, cpus: 4, sizeMib: 16384 },
};

/** Resources of a run that names no profile. */
export const defaultProfile: Profile = profiles.small;
