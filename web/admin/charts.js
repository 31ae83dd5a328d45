/** Charts of the last ten minutes. uPlot draws them. */

import { NOTHING, bitRate, clock, number, short, write } from "./words.js";

/** Lines are by their name and colour. Of what is counted there are no halves, so their axis has none. */
const CHARTS = {
  bits: {
    say: bitRate,
    lines: [["from clients", "first"], ["to clients", "second"]],
  },
  counts: {
    say: (value) => number(value),
    lines: [["sessions", "first"], ["allocations", "second"]],
    increments: [1, 2, 5],
  },
  offers: {
    say: (value) => number(value, 1),
    lines: [["answered", "first"], ["refused", "warm"], ["failed", "wrong"]],
  },
};
const HEIGHT = 190;
const WINDOW_SECONDS = 600;
/** Fewer would make a moment look like a trend. */
const LEAST_SECONDS = 60;
/** A state a second, the one at once after each new try, and a gap before it. */
const MOST_POINTS = 3 * WINDOW_SECONDS;

export class Charts {
  #charts = new Map();

  constructor() {
    for (const [name, { lines }] of Object.entries(CHARTS)) {
      const place = document.querySelector(`[data-chart="${name}"]`);
      const figure = place.closest("figure");
      const readings = lines.map(([label, color]) => addReading(figure.querySelector(".legend"), label, color));
      const points = [[], ...lines.map(() => [])];
      this.#charts.set(name, { place, readings, points, moment: figure.querySelector(".moment") });
    }
    this.#draw();
    const sizes = new ResizeObserver(() => this.#resize());
    for (const { place } of this.#charts.values()) sizes.observe(place);
    // Colours are drawn, so another scheme needs another drawing.
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#draw());
  }

  /** Adds what was at a time in Unix seconds. */
  add(time, values) {
    for (const [name, { points, plot }] of this.#charts) {
      // A clock that was put back overwrites what it had told.
      while (points[0].length > 0 && points[0].at(-1) >= time) points.forEach((line) => line.pop());
      append(points, time, values[name]);
      plot.setData(points);
      this.#read(name);
    }
  }

  /** Nothing is known from here on until the next point. */
  breakOff() {
    for (const { points } of this.#charts.values()) {
      const last = points[0].at(-1);
      if (last !== undefined && points.slice(1).some((line) => line.at(-1) !== null)) {
        append(points, last + 0.001, points.slice(1).fill(null));
      }
    }
  }

  #draw() {
    const style = getComputedStyle(document.documentElement);
    const color = (name) => style.getPropertyValue(`--${name}`).trim();
    const font = `12px ${getComputedStyle(document.body).fontFamily}`;
    for (const [name, chart] of this.#charts) {
      const { lines, increments } = CHARTS[name];
      chart.plot?.destroy();
      const axis = { stroke: color("quiet"), font, grid: { stroke: color("grid"), width: 1 }, ticks: { show: false } };
      const series = lines.map(([, stroke], line) => ({
        stroke: color(stroke),
        width: 2,
        // Lines that lie on one another are both seen.
        dash: line > 0 ? [6, 4] : undefined,
        fill: line === 0 ? fading(color(stroke)) : undefined,
        points: { show: false },
      }));
      const incrs = increments && Array.from({ length: 30 }, (_, n) => increments[n % 3] * 10 ** Math.floor(n / 3));
      const options = {
        width: chart.place.clientWidth,
        height: HEIGHT,
        padding: [10, 30, 0, 0],
        scales: { x: { range: rangeOfTime }, y: { range: (_, least, most) => [0, Math.max(most ?? 0, 1) * 1.1] } },
        axes: [
          { ...axis, grid: { show: false }, size: 26, gap: 6, space: 80, values: clocks },
          { ...axis, size: 56, gap: 8, space: 36, ...(incrs && { incrs }), values: (_, values) => values.map(short) },
        ],
        series: [{}, ...series],
        legend: { show: false },
        cursor: { y: false, drag: { x: false, y: false }, sync: { key: "time" }, points: { size: 8, width: 2 } },
        hooks: { setCursor: [() => this.#read(name)] },
      };
      chart.plot = new uPlot(options, chart.points, chart.place);
      this.#read(name);
    }
  }

  /** Writes the values under the cursor, or else the newest ones. */
  #read(name) {
    const { plot, points, readings, moment } = this.#charts.get(name);
    if (!plot) return;
    const { idx, left } = plot.cursor;
    const isPointed = left >= 0 && idx !== null && idx !== undefined;
    const place = isPointed ? idx : points[0].length - 1;
    write(moment, isPointed ? clock(points[0][place]) : "now");
    readings.forEach((reading, line) => {
      const value = points[line + 1][place] ?? null;
      write(reading, value === null ? NOTHING : CHARTS[name].say(value));
    });
  }

  #resize() {
    for (const { place, plot } of this.#charts.values()) {
      const width = place.clientWidth;
      if (width > 0 && width !== plot.width) plot.setSize({ width, height: HEIGHT });
    }
  }
}

function append(points, time, values) {
  [time, ...values].forEach((value, line) => points[line].push(value));
  while (points[0][0] < time - WINDOW_SECONDS || points[0].length > MOST_POINTS) points.forEach((line) => line.shift());
}

function addReading(legend, label, color) {
  const item = legend.appendChild(document.createElement("li"));
  item.dataset.line = color;
  item.append(label, " ");
  // No <output>: that would be read out each second.
  return item.appendChild(document.createElement("strong"));
}

/** Grows from the first minute to the whole window. */
function rangeOfTime(_, least, most) {
  const end = most ?? Date.now() / 1000;
  return [Math.min(least ?? end, end - LEAST_SECONDS), end];
}

function clocks(_, times, axis, space, increment) {
  return times.map((time) => clock(time, increment < 60));
}

/** A fill that is weaker the nearer it is to zero. `color` is #rrggbb. */
function fading(color) {
  return ({ ctx, bbox }) => {
    const fill = ctx.createLinearGradient(0, bbox.top, 0, bbox.top + bbox.height);
    fill.addColorStop(0, `${color}40`);
    fill.addColorStop(1, `${color}05`);
    return fill;
  };
}
