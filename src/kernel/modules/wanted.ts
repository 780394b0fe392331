/**
 * When a module is loaded: `boot` before the agent can speak or mount its root, `extra` after that,
 * for programs that expect it.
 */
export type LoadPhase = "boot" | "extra";

export interface WantedModule {
  readonly name: string;
  readonly phase: LoadPhase;
  /** Without it, as a module or built in, no workspace can start. */
  readonly required: boolean;
}

/** Raise when the list changes: kernels installed with another list are then installed again. */
export const wantedModulesRevision = 1;

function boot(name: string, required: boolean): WantedModule {
  return { name, phase: "boot", required };
}

function extra(name: string): WantedModule {
  return { name, phase: "extra", required: false };
}

/** Every module a distribution kernel needs for a workspace, the agent's own port first. */
export const wantedModules: readonly WantedModule[] = [
  boot("virtio_pci", true),
  boot("virtio_mmio", false),
  boot("virtio_console", true),
  boot("virtio_rng", false),
  boot("virtio_blk", true),
  boot("crc32c_generic", false),
  boot("erofs", false),
  boot("ext4", true),
  boot("overlay", true),
  boot("tun", true),
  boot("vmw_vsock_virtio_transport", false),
  boot("af_packet", false),
  extra("fuse"),
  extra("loop"),
  extra("binfmt_misc"),
  extra("virtio_balloon"),
  extra("dummy"),
  extra("veth"),
  extra("bridge"),
  extra("nf_tables"),
  extra("nft_ct"),
  extra("nft_chain_nat"),
  extra("nft_masq"),
  extra("nft_nat"),
  extra("nft_redir"),
  extra("nft_reject_inet"),
  extra("nft_compat"),
  extra("xt_MASQUERADE"),
  extra("xt_addrtype"),
  extra("xt_comment"),
  extra("xt_conntrack"),
  extra("xt_mark"),
  extra("xt_tcpudp"),
  extra("ipt_REJECT"),
  extra("iptable_filter"),
  extra("iptable_nat"),
];
