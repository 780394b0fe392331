import { html, type Markup } from "./markup.ts";

/** Readable in light and dark, on paper and on a narrow screen. */
export const pageStyle: Markup = html`
:root { color-scheme: light dark; --good: #1a7f37; --bad: #b3261e; --odd: #9a6700; --line: color-mix(in srgb, currentColor 18%, transparent); }
@media (prefers-color-scheme: dark) { :root { --good: #3fb950; --bad: #ff7b72; --odd: #d29922; } }
body { font: 15px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 72rem; padding: 0 1.5rem 4rem; }
header { border-left: .4rem solid var(--odd); margin: 2rem 0; padding: .2rem 1rem; }
header.passed { border-color: var(--good); }
header.failed { border-color: var(--bad); }
h1 { font-size: 1.6rem; margin: 0; overflow-wrap: anywhere; }
h2 { border-bottom: 1px solid var(--line); font-size: 1.1rem; margin: 2.2rem 0 .8rem; padding-bottom: .2rem; }
.outcome { margin: .2rem 0 0; overflow-wrap: anywhere; }
.none { opacity: .65; }
.warning { border-left: .25rem solid var(--odd); padding-left: .7rem; overflow-wrap: anywhere; }
table { border-collapse: collapse; width: 100%; }
th { font-weight: 500; text-align: left; white-space: nowrap; }
td, th { padding: .15rem .9rem .15rem 0; vertical-align: top; }
.facts td, .rows td { overflow-wrap: anywhere; }
.facts th { opacity: .65; width: 10rem; }
.rows tr { border-bottom: 1px solid var(--line); }
.rows tr.bad td:nth-child(2) { color: var(--bad); }
.rows tr.good td:nth-child(2) { color: var(--good); }
.number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
.hash, pre { font: 12.5px/1.45 ui-monospace, monospace; }
.timeline th { font-weight: 400; width: 12rem; }
.timeline .number { width: 6rem; }
.bars { position: relative; min-width: 12rem; }
.bar { background: color-mix(in srgb, var(--good) 70%, transparent); border-radius: 2px; height: .8rem; position: absolute; top: .45rem; }
.bar.bad { background: var(--bad); }
pre { border: 1px solid var(--line); border-radius: .3rem; max-height: 30rem; overflow: auto; padding: .7rem; white-space: pre-wrap; overflow-wrap: anywhere; }
summary { cursor: pointer; }
`;
