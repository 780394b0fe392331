import { durationText } from "../base/quantity.ts";
import { html, type Markup } from "./markup.ts";
import { wallMs } from "./outcome.ts";
import type { RecordedRun } from "./recorded-run.ts";

const rowsMax = 80;

/** A bar for each step where it lay in the run, steps of a step indented below it. */
export function timeline(run: RecordedRun): Markup {
  const whole = wallMs(run);
  if (run.timeline.length === 0 || whole <= 0)
    return html`<p class="none">No steps were recorded.</p>`;
  const rows = run.timeline.slice(0, rowsMax).map((span) => {
    const parts = span.step.split("/");
    const left = share(span.start_ms, whole);
    const width = Math.max(0.2, share(span.ms, whole));
    return html`<tr>
<th style="padding-left:${(parts.length - 1) * 1.2}em" title="${span.step}">${parts.at(-1) ?? ""}</th>
<td class="bars"><span class="bar${span.failed ? " bad" : ""}" style="left:${left}%;width:${width}%"></span></td>
<td class="number">${durationText(span.ms)}</td>
</tr>
`;
  });
  const hidden = run.timeline.length - rows.length;
  const more = hidden > 0 ? html`<p class="none">And ${hidden} more steps.</p>` : "";
  return html`<table class="timeline"><tbody>
${rows}</tbody></table>${more}`;
}

function share(ms: number, whole: number): number {
  return Math.round(Math.min(1, ms / whole) * 10_000) / 100;
}
