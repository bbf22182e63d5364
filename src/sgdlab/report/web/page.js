// Starts the page: unpacks the plotting library, copies commands, follows the theme and the printer.

async function library() {
  const packed = document.getElementById("library");
  const bytes = Uint8Array.from(atob(packed.textContent), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  const script = element("script");
  // Allowed by its hash in the policy of the page, and by nothing else.
  script.textContent = await new Response(stream).text();
  document.head.append(script);
  packed.remove();
  if (!window.Plotly) throw new Error("the plotting library did not start");
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = element("textarea", { readonly: "" }, text);
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
}

function copyButtons() {
  for (const block of document.querySelectorAll(".copied pre")) {
    const what = block.parentElement.dataset.what;
    const made = button("Copy", `Copy: ${what}`, async () => {
      await copy(block.textContent);
      made.textContent = "Copied";
      document.getElementById("said").textContent = `Copied: ${what}`;
      setTimeout(() => { made.textContent = "Copy"; }, 2000);
    });
    made.className = "copy";
    block.before(made);
  }
}

function print(on) {
  document.documentElement.classList.toggle("printing", on);
  figures.forEach((figure) => { if (figure.plot.clientWidth) draw(figure); });
}

async function start() {
  document.documentElement.classList.add("script");
  copyButtons();
  reload();
  const nodes = [...document.querySelectorAll("figure[data-chart]")];
  if (!nodes.length) return;
  try {
    await library();
  } catch (reason) {
    document.documentElement.classList.replace("script", "undrawn");
    return;
  }
  nodes.forEach(build);
  drawAll();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  addEventListener("beforeprint", () => print(true));
  addEventListener("afterprint", () => print(false));
}

start();
