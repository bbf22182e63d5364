// From the description of a figure to what Plotly draws. Names are drawn as they are: escaped
// here, since Plotly reads tags in text, and never part of a template.

const DASHES = ["solid", "7px,3px", "2px,2.5px", "8px,2.5px,2px,2.5px"];
const SYMBOLS = ["circle", "square", "triangle-up", "diamond"];
const MARKS = { diamond: "diamond", x: "x-thin", ring: "circle-open", down: "triangle-down", bar: "line-ns" };
const EDGES = { top: 0.965, bottom: 0.035 };

function escapeText(text) {
  return String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;")
    .replace(/\$/g, "&#36;");
}

function short(text, most) {
  const letters = [...String(text)];
  return letters.length <= most ? String(text) : letters.slice(0, most - 1).join("") + "…";
}

// A name in one line or two: those of settings differ at their ends.
function twoLines(name, most) {
  const at = name.lastIndexOf(" ", most);
  if (name.length <= most || at < 1) return escapeText(short(name, most));
  return `${escapeText(name.slice(0, at))}<br>${escapeText(short(name.slice(at + 1), most))}`;
}

function number(value, axis) {
  if (value === null || value === undefined) return "–";
  const digits = axis && axis.percent ? Number(value.toFixed(2)) : Number(value.toPrecision(4));
  const whole = Number.isInteger(value) && Math.abs(value) < 1e9 ? value : digits;
  const text = Math.abs(whole) >= 1e-4 || whole === 0
    ? whole.toLocaleString("en-US", { maximumSignificantDigits: 9 }) : String(whole);
  return text.replace("-", "−") + (axis && axis.percent ? " %" : "");
}

// The value of a point in words, in parts: read aloud, and shown when hovering, a line each.
function described(chart, series, i) {
  if (series.kind === "cells") return [series.hovers[i]];
  const parts = [];
  if (series.of !== undefined) parts.push(chart.names[series.of]);
  const own = series.texts && series.texts[i];
  if (chart.y.categories) {
    if (series.of === undefined || series.marker === "diamond") {
      const row = chart.y.categories[Math.round(series.y[i])];
      if (row !== undefined && row !== parts[0]) parts[0] = row;
    }
    if (own) parts.push(own);
    if (series.low) {
      if (!own || !own.includes("CI")) {
        parts.push(number(series.x[i], chart.x));
        if (series.low[i] !== null) parts.push(`95 % CI ${number(series.low[i])} to ${number(series.high[i])}`);
      }
    } else parts.push(number(series.x[i], chart.x));
    return parts;
  }
  parts.push(`${chart.x.label} ${number(series.x[i], chart.x)}`);
  if (series.y && series.marker !== "bar") {
    let value = number(series.y[i], chart.y);
    if (series.low && series.kind !== "points") value += ` (band ${number(series.low[i])} to ${number(series.high[i])})`;
    parts.push(value);
  }
  if (own) parts.push(own);
  return parts;
}

function describe(chart, series, i) {
  return described(chart, series, i).join(", ");
}

function readable(series) {
  return series.kind === "line" || series.kind === "steps" || series.kind === "points" || series.kind === "thin" || series.kind === "cells";
}

function wrapped(part) {
  const lines = [];
  for (const word of short(part, 160).split(" ")) {
    const last = lines.length - 1;
    if (last >= 0 && (lines[last] + word).length < 44) lines[last] += " " + word;
    else lines.push(word);
  }
  return lines.map(escapeText).join("<br>");
}

// Traces of one figure. state: hidden (set of names), lit (a name that others fade for).
function traces(chart, colours, state) {
  const found = [];
  const links = { x: [], y: [] };
  chart.series.forEach((series, number) => {
    if (series.kind === "rule") return;
    if (series.kind === "link") {
      links.x.push(...series.x, null);
      links.y.push(...series.y, null);
      return;
    }
    const look = series.of === undefined ? null : chart.looks[series.of];
    const colour = look ? colours.series[look[0]] : colours.soft;
    const faded = state.lit !== null && series.of !== state.lit;
    const common = {
      type: "scatter", x: series.x, y: series.y, hoverinfo: "skip", showlegend: false,
      visible: !(series.of !== undefined && state.hidden.has(series.of)), meta: number,
      opacity: faded ? 0.15 : 1,
    };
    const add = (trace) => found.push({ ...common, ...trace });
    const spoken = readable(series)
      ? { hoverinfo: "text", hovertext: series.x.map((_, i) => described(chart, series, i).map(wrapped).join("<br>")) } : {};
    if (series.kind === "cells") return addCells(add, series, colours, spoken);
    if (series.kind === "area") return addArea(add, series, colour);
    if (series.kind === "points") return addPoints(add, series, look, colour, colours, spoken);
    const shape = series.kind === "steps" ? "hv" : "linear";
    if (series.low && !faded) {
      const edge = { mode: "lines", line: { width: 0, shape, color: colour } };
      add({ ...edge, y: series.low });
      add({ ...edge, y: series.high, fill: "tonexty", fillcolor: colour + "2e" });
    }
    const line = { color: colour, shape, dash: DASHES[look ? look[1] : 0], width: 2 };
    if (series.kind === "thin") Object.assign(line, { width: 1, dash: "solid" });
    const last = series.x.length - 1;
    add({
      mode: series.end ? "lines+markers" : "lines", line, ...spoken,
      ...(series.end ? { marker: {
        symbol: series.end === "x" ? "x-thin" : "line-ns", color: colour, line: { color: colour, width: 1.5 },
        size: series.x.map((_, i) => (i === last ? 8 : 0)) } } : {}),
    });
  });
  if (links.x.length) {
    found.unshift({ type: "scatter", mode: "lines", ...links, hoverinfo: "skip", showlegend: false,
      line: { color: colours.faint, width: 1 }, opacity: 0.6, meta: -1 });
  }
  return found;
}

function rgb(colour) {
  return [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
}

// Black or white, whichever has the greater contrast (WCAG 2).
function inkOn(colour) {
  const [r, g, b] = colour.map((part) => {
    const c = part / 255;
    return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  });
  const light = 0.2126 * r + 0.7152 * g + 0.0722 * b;
  return 1.05 / (light + 0.05) > (light + 0.05) / 0.05 ? "#ffffff" : "#000000";
}

function mixed(share, colours) {
  const [pale, dark] = [rgb(colours.tint), rgb(colours.series[0])];
  return pale.map((from, i) => Math.round(from + share * (dark[i] - from)));
}

// Rectangles, since Plotly's own map is a picture, which the policy of the page does not load.
function cellShapes(series, colours) {
  return series.z.map((share, i) => ({
    type: "rect", layer: "below", x0: series.x[i] - 0.48, x1: series.x[i] + 0.48,
    y0: series.y[i] - 0.46, y1: series.y[i] + 0.46,
    fillcolor: share === null ? "rgba(0,0,0,0)" : `rgb(${mixed(share, colours).join(",")})`,
    line: { width: share === null ? 1 : 0, color: colours.line },
  }));
}

// The text of every cell, which is what hovering and reading find.
function addCells(add, series, colours, spoken) {
  const ink = series.z.map((share) => (share === null ? colours.ink : inkOn(mixed(share, colours))));
  add({ mode: "text", text: series.lines.map((lines) => lines.map(escapeText).join("<br>")),
    textfont: { color: ink, size: Math.max(8, Math.min(13, colours.wide / (Math.max(...series.x) + 1) / 4.6)) }, ...spoken });
}

function addArea(add, series, colour) {
  const x = [series.x[0]], y = [series.base];
  series.y.forEach((height, i) => {
    x.push(series.x[i], series.x[i + 1]);
    y.push(series.base - height, series.base - height);
  });
  x.push(series.x[series.x.length - 1]);
  y.push(series.base);
  add({ x, y, mode: "lines", fill: "toself", fillcolor: colour + "99", line: { width: 0 } });
}

function addPoints(add, series, look, colour, colours, spoken) {
  const own = series.marker === "own";
  const thin = series.marker === "x" || series.marker === "bar";
  const size = series.marker === "ring" ? 12 : series.marker === "diamond" || thin || !own ? 9 : series.small ? 4 : 8;
  const marker = {
    symbol: own ? SYMBOLS[look ? look[1] : 0] : MARKS[series.marker], color: colour, size,
    opacity: own ? 0.75 : 1,
    line: { color: thin || series.marker === "ring" ? colour : colours.ink,
      width: thin || series.marker === "ring" ? 2 : series.marker === "diamond" ? 0.8 : 0 },
  };
  const trace = { mode: "markers", marker, cliponaxis: true, ...spoken };
  if (series.edge) {
    const height = series.marker === "down" ? 1.0 : EDGES[series.edge];
    Object.assign(trace, { y: series.x.map(() => height), yaxis: "y2", cliponaxis: series.marker !== "down" });
  }
  if (series.low) {
    const width = series.x.map((x, i) => (series.low[i] === null ? [null, null] : [series.high[i] - x, x - series.low[i]]));
    trace.error_x = { type: "data", symmetric: false, array: width.map((w) => w[0]),
      arrayminus: width.map((w) => w[1]), color: colour, thickness: 2, width: series.marker === "bar" ? 5 : 0 };
  }
  add(trace);
}

function axisOf(axis, colours, narrow, map) {
  const log = (value) => (axis.log ? Math.log10(value) : value);
  const found = {
    title: { text: escapeText(axis.label), standoff: 8 }, type: axis.log ? "log" : "linear",
    gridcolor: colours.line, linecolor: colours.soft, tickcolor: colours.soft, zeroline: false,
    showline: true, ticks: "outside", ticklen: 4, automargin: true, nticks: narrow ? 6 : 8,
    exponentformat: "power", separatethousands: true,
  };
  if (axis.ticks) Object.assign(found, { tickvals: axis.ticks, ticktext: axis.ticks.map((value) => value.toLocaleString("en-US")) });
  if (axis.range) found.range = axis.range.map(log);
  if (axis.categories) {
    const count = axis.categories.length;
    Object.assign(found, {
      tickvals: axis.categories.map((_, i) => i), showline: false, ticks: "", showgrid: false,
      ticktext: axis.categories.map((name) => (narrow ? twoLines(name, 16) : escapeText(short(name, 34))) + " "),
      range: [count - 0.45, -0.55],
    });
    if (narrow && axis.categories.some((name) => name.length > 16)) found.tickfont = { size: 10 };
    if (map) found.range = map === "x" ? [-0.5, count - 0.5] : [count - 0.5, -0.5];
  }
  return found;
}

// Plain numbers at 1, 2 and 5, or fewer of them where many decades are in sight.
function logTicks(range, narrow) {
  const [low, high] = [Math.min(...range), Math.max(...range)];
  const decades = high - low;
  const values = [];
  if (decades < 0.6) {
    const [from, to] = [10 ** low, 10 ** high];
    const rough = (to - from) / 5;
    const size = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].find((factor) => factor * size >= rough) * size;
    for (let i = Math.ceil(from / step); i * step <= to && values.length < 20; i += 1) values.push(i * step);
  } else {
    const digits = decades > (narrow ? 2 : 3) ? [1] : decades > (narrow ? 1.1 : 1.6) ? [1, 3] : [1, 2, 5];
    const every = Math.ceil(decades / (narrow ? 5 : 8));
    for (let power = Math.floor(low); power <= Math.ceil(high); power += 1) {
      if (((power % every) + every) % every === 0) digits.forEach((digit) => values.push(digit * 10 ** power));
    }
  }
  const inside = values.filter((value) => Math.log10(value) >= low - 1e-9 && Math.log10(value) <= high + 1e-9);
  return { tickvals: inside, ticktext: inside.map((value) => {
    const shown = Number(value.toPrecision(3));
    return shown >= 1e5 || shown < 1e-4 ? shown.toExponential().replace("e+", "e").replace("-", "−") : shown.toLocaleString("en-US", { maximumSignificantDigits: 3 });
  }) };
}

// With a size of its own: Plotly.react keeps the size that a figure was first drawn in.
function layout(chart, colours, narrow, still, plot) {
  const map = Boolean(chart.x.categories);
  return {
    width: plot.clientWidth, height: plot.clientHeight,
    margin: { l: narrow ? 46 : 56, r: 14, t: 14, b: 44 }, paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)", showlegend: false, hovermode: "closest", hoverdistance: 30,
    dragmode: still ? false : "zoom", uirevision: "kept",
    font: { family: "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', sans-serif", size: 12, color: colours.soft },
    hoverlabel: { bgcolor: colours.paper, bordercolor: colours.soft, font: { color: colours.ink, size: 13 }, align: "left" },
    xaxis: axisOf(chart.x, colours, narrow, map && "x"), yaxis: axisOf(chart.y, colours, narrow, map && "y"),
    yaxis2: { overlaying: "y", range: [0, 1], visible: false, fixedrange: true },
    shapes: chart.series.filter((s) => s.kind === "cells").flatMap((s) => cellShapes(s, colours)).concat(
      chart.series.filter((s) => s.kind === "rule").map((rule) => ({
      type: "line", layer: "below", line: { color: colours.ink, width: rule.whole ? 1.5 : 1, dash: rule.whole ? "solid" : "5px,4px" },
      ...(rule.axis === "x" ? { x0: rule.at, x1: rule.at, yref: "paper", y0: 0, y1: 1 }
        : { y0: rule.at, y1: rule.at, xref: "paper", x0: 0, x1: 1 }),
    }))),
  };
}
