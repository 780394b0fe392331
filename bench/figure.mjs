// One line of the result: what was measured, against what, and whether the target is met.
import { median, quantile } from "./measure.mjs";

/**
 * A figure as a ratio of two medians. `direction` says whether the ratio has to stay below the target ("at-most") or
 * above it ("at-least").
 */
export function ratioFigure({ name, unit, ours, floor, floorName, target, direction = "at-most" }) {
  const ratio = median(ours) / median(floor);
  return {
    name,
    unit,
    ours: summary(ours),
    floor: { name: floorName, ...summary(floor) },
    ratio,
    target,
    direction,
    met: direction === "at-most" ? ratio <= target : ratio >= target,
  };
}

/** A figure with a bound of its own, in `unit`; for what has no floor to be compared with. */
export function boundFigure({ name, unit, ours, target }) {
  const value = median(ours);
  const figure = { name, unit, ours: summary(ours), floor: null, ratio: null };
  return { ...figure, target, direction: "at-most", met: value <= target };
}

/** A figure that explains others and has no target. */
export function plainFigure({ name, unit, ours, floor = null, floorName = null }) {
  return {
    name,
    unit,
    ours: summary(ours),
    floor: floor === null ? null : { name: floorName, ...summary(floor) },
    ratio: floor === null ? null : median(ours) / median(floor),
    target: null,
    direction: null,
    met: null,
  };
}

function summary(samples) {
  return {
    median: median(samples),
    low: quantile(samples, 0.1),
    high: quantile(samples, 0.9),
    samples: samples.length,
  };
}

const columns = ["case", "figure", "ours", "floor", "ratio", "target", ""];

/** The figures of all cases as a table for people. */
export function renderTable(results) {
  const rows = [columns];
  for (const { name, figures } of results) {
    for (const figure of figures) rows.push(row(name, figure));
  }
  const widths = columns.map((_, at) => Math.max(...rows.map((cells) => cells[at].length)));
  return rows
    .map((cells) =>
      cells
        .map((cell, at) => (at < 2 ? cell.padEnd(widths[at]) : cell.padStart(widths[at])))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

function row(name, figure) {
  const sign = figure.direction === "at-least" ? ">=" : "<=";
  const target =
    figure.target === null
      ? ""
      : `${sign} ${figure.target}${figure.ratio === null ? ` ${figure.unit}` : ""}`;
  return [
    name,
    figure.floor === null ? figure.name : `${figure.name} vs ${figure.floor.name}`,
    `${short(figure.ours.median)} ${figure.unit}`,
    figure.floor === null ? "" : `${short(figure.floor.median)} ${figure.unit}`,
    figure.ratio === null ? "" : figure.ratio.toFixed(2),
    target,
    figure.met === null ? "" : figure.met ? "met" : "MISSED",
  ];
}

function short(value) {
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}
