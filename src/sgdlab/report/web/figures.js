// Draws the figures of the page, one after the other; theme, legends, buttons.

const CHARTS = JSON.parse(document.getElementById("charts").textContent);
const CONFIG = { displayModeBar: false, displaylogo: false, responsive: false, scrollZoom: false, doubleClick: "reset" };
const figures = [];

function palette() {
  const style = getComputedStyle(document.documentElement);
  const read = (name) => style.getPropertyValue(name).trim();
  const series = [0, 1, 2, 3, 4, 5, 6].map((i) => read(`--c${i}`));
  return { series, ink: read("--ink"), soft: read("--soft"), line: read("--line"), paper: read("--paper"), faint: read("--faint"), tint: read("--tint") };
}

function element(tag, attributes, text) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) made.setAttribute(name, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

function draw(figure) {
  const { chart, plot, state } = figure;
  if (!plot.clientWidth || !window.Plotly) return;
  const narrow = plot.clientWidth < 480;
  const still = matchMedia("(pointer: coarse)").matches;
  const colours = { ...palette(), wide: plot.clientWidth - 90 };
  figure.drawn = true;
  figure.width = plot.clientWidth;
  const done = Plotly.react(plot, traces(chart, colours, state), layout(chart, colours, narrow, still, plot), CONFIG);
  if (!figure.heard) {
    figure.heard = true;
    plot.on("plotly_relayout", () => retick(figure));
  }
  retick(figure);
  return done;
}

// Ticks of a logarithmic axis fit what is in sight.
function retick(figure) {
  const change = {};
  for (const name of ["xaxis", "yaxis"]) {
    const side = figure.plot._fullLayout[name];
    if (side.type !== "log" || figure.chart[name[0]].ticks) continue;
    const ticks = logTicks(side.range.map(Number), figure.plot.clientWidth < 480);
    if (String(side.tickvals) !== String(ticks.tickvals)) {
      for (const [key, value] of Object.entries(ticks)) change[`${name}.${key}`] = value;
    }
  }
  if (Object.keys(change).length) Plotly.relayout(figure.plot, change);
}

function redraw() {
  figures.filter((figure) => figure.drawn).forEach(draw);
}

function button(text, label, act) {
  const made = element("button", { type: "button", "aria-label": label, title: label }, text);
  made.addEventListener("click", act);
  return made;
}

function tools(figure) {
  const bar = element("div", { class: "tools", role: "group", "aria-label": `Figure: ${figure.chart.title}` });
  bar.append(
    button("+", "Zoom in", () => zoom(figure, 0.7)),
    button("−", "Zoom out", () => zoom(figure, 1 / 0.7)),
    button("Reset", "Show the whole figure", () => reset(figure)),
    button("SVG", "Save the figure as SVG", () => Plotly.downloadImage(figure.plot, {
      format: "svg", filename: figure.name, width: 720, height: Math.max(420, figure.plot.clientHeight) })),
  );
  return bar;
}

function swatch(look) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  svg.setAttribute("viewBox", "0 0 26 10");
  svg.setAttribute("aria-hidden", "true");
  const line = document.createElementNS(space, "line");
  for (const [name, value] of Object.entries({ x1: 0, y1: 5, x2: 26, y2: 5, "stroke-width": 3 })) line.setAttribute(name, value);
  line.style.stroke = `var(--c${look[0]})`;
  line.style.strokeDasharray = look[1] ? DASHES[look[1]].replaceAll("px", "") : "none";
  svg.append(line);
  return svg;
}

// One stop of the Tab key: the arrow keys move between the names.
function legend(figure) {
  const { chart, state } = figure;
  if (chart.y.categories || chart.names.length < 2) return null;
  const bar = element("div", { class: "legend", role: "toolbar", "aria-label": "Optimizers shown" });
  chart.names.forEach((name, i) => {
    const made = button("", "", () => {
      if (!state.hidden.delete(i)) state.hidden.add(i);
      made.setAttribute("aria-pressed", String(!state.hidden.has(i)));
      draw(figure);
    });
    made.setAttribute("aria-label", name);
    made.title = name;
    made.append(swatch(chart.looks[i]), element("span", {}, short(name, 40)));
    made.setAttribute("aria-pressed", "true");
    made.tabIndex = i ? -1 : 0;
    if (chart.names.length > 4) {
      const light = (lit) => () => { if (state.lit !== lit) { state.lit = lit; draw(figure); } };
      made.addEventListener("mouseenter", light(i));
      made.addEventListener("mouseleave", light(null));
      made.addEventListener("focus", () => { if (made.matches(":focus-visible")) light(i)(); });
      made.addEventListener("blur", light(null));
    }
    bar.append(made);
  });
  bar.addEventListener("keydown", (event) => {
    const all = [...bar.children];
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    const from = all.indexOf(document.activeElement);
    let to = step ? (from + step + all.length) % all.length : -1;
    if (event.key === "Home") to = 0;
    if (event.key === "End") to = all.length - 1;
    if (to < 0 || from < 0) return;
    event.preventDefault();
    all[from].tabIndex = -1;
    all[to].tabIndex = 0;
    all[to].focus();
  });
  return bar;
}

function build(node) {
  const name = node.dataset.chart;
  const plot = node.querySelector(".plot");
  const figure = { name, node, plot, chart: CHARTS[name], drawn: false, width: 0,
    state: { hidden: new Set(), lit: null, series: -1, point: -1 },
    reading: element("p", { class: "reading", "aria-live": "polite" }) };
  plot.tabIndex = 0;
  plot.setAttribute("role", "application");
  plot.setAttribute("aria-roledescription", "figure");
  plot.setAttribute("aria-label", figure.chart.title);
  plot.setAttribute("aria-describedby", "keys");
  const head = element("div", { class: "head" });
  plot.before(head);
  head.append(node.querySelector("h4"), tools(figure));
  const bar = legend(figure);
  plot.after(...(bar ? [bar] : []));
  node.append(figure.reading);
  plot.addEventListener("keydown", (event) => keys(figure, event));
  figures.push(figure);
  return figure;
}

// Figures in sight first, the others when the page is idle; those in a closed fold when it opens.
function drawAll() {
  const waiting = new Set(figures);
  const resized = new ResizeObserver((entries) => {
    for (const entry of entries) {
      const figure = figures.find((one) => one.plot === entry.target);
      if (figure.drawn && Math.abs(figure.width - entry.target.clientWidth) > 1) draw(figure);
      else if (!figure.drawn && entry.target.clientWidth) waiting.add(figure);
    }
    schedule();
  });
  figures.forEach((figure) => resized.observe(figure.plot));
  const near = (figure) => {
    const box = figure.plot.getBoundingClientRect();
    return box.bottom > -200 && box.top < innerHeight + 600;
  };
  let busy = false;
  function schedule() {
    if (busy || !waiting.size) return;
    busy = true;
    setTimeout(() => {
      busy = false;
      const next = [...waiting].find((figure) => figure.plot.clientWidth && near(figure))
        || [...waiting].find((figure) => figure.plot.clientWidth);
      if (!next) {
        waiting.clear();
      } else {
        waiting.delete(next);
        draw(next);
        schedule();
      }
      document.documentElement.dataset.drawn = String(figures.filter((figure) => figure.drawn).length);
    }, 0);
  }
  schedule();
}
