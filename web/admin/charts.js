/** Charts of the last minutes. uPlot draws them. */

import { bitRate, number } from "./words.js";

const CHARTS = {
  bits: { lines: ["from clients", "to clients"], say: bitRate },
  counts: { lines: ["sessions", "allocations"], say: (value) => number(value) },
  offers: { lines: ["answered", "refused", "failed"], say: (value) => number(value, 1) },
};
const COLORS = { bits: ["--first", "--second"], counts: ["--first", "--second"], offers: ["--first", "--warm", "--wrong"] };
const HEIGHT = 180;
/** Ten minutes of a state a second. */
const MOST_POINTS = 600;
/** Fewer would look like more than they are. */
const LEAST_SECONDS = 60;

export class Charts {
  #points = {};
  #plots = {};

  constructor() {
    for (const [name, { lines }] of Object.entries(CHARTS)) this.#points[name] = [[], ...lines.map(() => [])];
    this.#draw();
    new ResizeObserver(() => this.#resize()).observe(document.getElementById("charts"));
    // Colours are drawn, so another scheme needs another drawing.
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#draw());
  }

  /** Adds what was at a time in Unix seconds. */
  add(time, values) {
    for (const [name, plot] of Object.entries(this.#plots)) {
      const points = this.#points[name];
      [time, ...values[name]].forEach((value, line) => points[line].push(value));
      if (points[0].length > MOST_POINTS) points.forEach((line) => line.shift());
      plot.setData(points);
    }
  }

  #draw() {
    const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
    for (const [name, { lines, say }] of Object.entries(CHARTS)) {
      this.#plots[name]?.destroy();
      const place = document.querySelector(`[data-chart="${name}"]`);
      const axis = { stroke: color("--quiet"), grid: { stroke: color("--line"), width: 1 }, ticks: { show: false } };
      const series = lines.map((label, line) => ({
        label,
        stroke: color(COLORS[name][line]),
        width: 2,
        points: { show: false },
        value: (_, value) => (value === null ? "–" : say(value)),
      }));
      const options = {
        width: place.clientWidth,
        height: HEIGHT,
        scales: {
          x: { range: (_, least, most) => [Math.min(least, most - LEAST_SECONDS), most] },
          y: { range: (_, least, most) => [0, Math.max(most ?? 0, 1) * 1.1] },
        },
        axes: [
          { ...axis, space: 70, values: (_, times) => times.map(clock) },
          { ...axis, size: 64, values: (_, values) => values.map(short) },
        ],
        series: [{ value: (_, time) => (time === null ? "–" : clock(time)) }, ...series],
        cursor: { drag: { x: false, y: false } },
      };
      this.#plots[name] = new uPlot(options, this.#points[name], place);
    }
  }

  #resize() {
    for (const plot of Object.values(this.#plots)) {
      const width = plot.root.parentElement.clientWidth;
      if (width !== plot.width) plot.setSize({ width, height: HEIGHT });
    }
  }
}

function clock(time) {
  return new Date(time * 1000).toLocaleTimeString("en", { hourCycle: "h23" });
}

function short(value) {
  return value.toLocaleString("en", { notation: "compact", maximumFractionDigits: 1 });
}
