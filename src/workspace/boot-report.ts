import type { BaseImage } from "../image/base-image.ts";
import type { StoredImage } from "../image/stored-image.ts";
import type { InstalledKernel } from "../kernel/installed-kernel.ts";
import type { HostFacts } from "../supervisor/port.ts";
import type { Prepared } from "./prepare.ts";
import type { TemplateUse } from "./templates/template.ts";

/** What a boot found and decided, for results and people. */
export interface BootReport {
  readonly image: StoredImage;
  readonly base: BaseImage;
  readonly kernel: InstalledKernel;
  readonly supervisor: string;
  readonly host: HostFacts;
  /** 1, or 2 when the boot watchdog had to start over. */
  readonly attempts: number;
  /** Why the first attempt was given up, when it was. */
  readonly retryReason: string | null;
  /** The saved machine it was started from; null when it was booted. */
  readonly template: TemplateUse | null;
}

export function bootReport(
  { image, base, kernel, choice }: Prepared,
  how: Pick<BootReport, "attempts" | "retryReason" | "template">,
): BootReport {
  const { supervisor, host } = choice;
  return { image, base, kernel, supervisor: supervisor.name, host, ...how };
}
