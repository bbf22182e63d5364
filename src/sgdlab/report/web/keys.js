// The keyboard on a figure: zoom, move, read the points.

const AXES = ["xaxis", "yaxis"];

function rangeOf(figure, axis) {
  return figure.plot._fullLayout[axis].range.map(Number);
}

function relayout(figure, change) {
  return Plotly.relayout(figure.plot, change);
}

// Names on an axis stay where they are.
function movable(figure) {
  return AXES.filter((axis) => !figure.chart[axis[0]].categories);
}

function zoom(figure, factor) {
  if (!figure.drawn) return;
  const change = {};
  for (const axis of movable(figure)) {
    const [low, high] = rangeOf(figure, axis);
    const middle = (low + high) / 2;
    change[`${axis}.range`] = [middle + (low - middle) * factor, middle + (high - middle) * factor];
  }
  return relayout(figure, change);
}

function move(figure, axis, share) {
  if (!figure.drawn || !movable(figure).includes(axis)) return;
  const [low, high] = rangeOf(figure, axis);
  const by = share * (high - low);
  return relayout(figure, { [`${axis}.range`]: [low + by, high + by] });
}

function reset(figure) {
  if (!figure.drawn) return;
  const whole = layout(figure.chart, palette(), false, false, figure.plot);
  const change = {};
  for (const axis of AXES) {
    if (whole[axis].range) change[`${axis}.range`] = whole[axis].range;
    else change[`${axis}.autorange`] = true;
  }
  return relayout(figure, change);
}

function shown(figure) {
  return figure.chart.series.map((series, i) => i).filter((i) => {
    const series = figure.chart.series[i];
    return readable(series) && series.x.length && !figure.state.hidden.has(series.of);
  });
}

// Rows of names are read through, from one to the next; lines each by themselves.
function read(figure, step, end) {
  const { state, chart, plot } = figure;
  const all = shown(figure);
  if (!all.length) return;
  let at = all.indexOf(state.series);
  if (at < 0) {
    at = 0;
    state.point = step < 0 ? 0 : -1;
  }
  const many = (i) => chart.series[all[i]].x.length;
  state.point = end === "first" ? 0 : end === "last" ? many(at) - 1 : state.point + step;
  if (chart.y.categories && end === undefined) {
    if (state.point >= many(at) && at + 1 < all.length) { at += 1; state.point = 0; }
    if (state.point < 0 && at > 0) { at -= 1; state.point = many(at) - 1; }
  }
  state.point = Math.min(Math.max(state.point, 0), many(at) - 1);
  state.series = all[at];
  say(figure);
}

function change(figure, step) {
  const { state, chart } = figure;
  const all = shown(figure);
  if (!all.length) return;
  const at = all.indexOf(state.series);
  const next = at < 0 ? 0 : (at + step + all.length) % all.length;
  state.series = all[next];
  state.point = Math.min(Math.max(state.point, 0), chart.series[state.series].x.length - 1);
  say(figure);
}

function say(figure) {
  const { state, chart, plot, reading } = figure;
  const series = chart.series[state.series];
  reading.textContent = describe(chart, series, state.point);
  const curve = plot._fullData.findIndex((trace) => trace.meta === state.series && trace.hoverinfo === "text");
  if (curve >= 0) {
    const subplot = series.edge ? "xy2" : "xy";
    Plotly.Fx.hover(plot, [{ curveNumber: curve, pointNumber: state.point }], subplot);
  }
}

function keys(figure, event) {
  if (event.target !== figure.plot || event.ctrlKey || event.metaKey || event.altKey || !figure.drawn) return;
  const acts = {
    "+": () => zoom(figure, 0.7), "=": () => zoom(figure, 0.7),
    "-": () => zoom(figure, 1 / 0.7), "_": () => zoom(figure, 1 / 0.7),
    "0": () => reset(figure),
    ArrowLeft: () => move(figure, "xaxis", -0.15), ArrowRight: () => move(figure, "xaxis", 0.15),
    ArrowUp: () => move(figure, "yaxis", 0.15), ArrowDown: () => move(figure, "yaxis", -0.15),
    "[": () => read(figure, -1), "]": () => read(figure, 1),
    "{": () => change(figure, -1), "}": () => change(figure, 1),
    Home: () => read(figure, 0, "first"), End: () => read(figure, 0, "last"),
    Escape: () => { Plotly.Fx.unhover(figure.plot); figure.reading.textContent = ""; },
  };
  const act = Object.hasOwn(acts, event.key) ? acts[event.key] : null;
  if (!act) return;
  event.preventDefault();
  act();
}
