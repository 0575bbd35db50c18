// Draws the figures in the page's colours, and opens the images of a cell of the confusion matrix.

const PRINT = { ink: "#22262a", line: "#d5d0c5" };
const PRINT_WIDTH = 660; // CSS pixels: A4 without margins
const PRINT_HEIGHTS = [400, 560]; // a figure up to the second height is reduced to the first, so that two fit on a page
const HEIGHT = 380; // of a figure without a height
const CLEAR = "rgba(0, 0, 0, 0)";
const BLACK = new Set(["#000", "#000000", "black"]);
const CONFIG = { responsive: true, displaylogo: false, displayModeBar: false, showTips: false };

const album = document.getElementById("album");
const plots = [...document.querySelectorAll(".plot")];
const dark = matchMedia("(prefers-color-scheme: dark)");

// Figures

function screenColours() {
  const style = getComputedStyle(document.documentElement);
  return { ink: style.getPropertyValue("--ink").trim(), line: style.getPropertyValue("--line").trim() };
}

/** Returns the changes to a layout, by path, that make it readable on the background. */
function colours(axes, { ink, line }) {
  const changes = { paper_bgcolor: CLEAR, plot_bgcolor: CLEAR, "font.color": ink, "legend.bgcolor": CLEAR };
  for (const axis of axes) {
    for (const part of ["gridcolor", "zerolinecolor", "linecolor", "tickcolor"]) changes[`${axis}.${part}`] = line;
  }
  return changes;
}

const axesOf = (layout) => [...new Set(["xaxis", "yaxis", ...Object.keys(layout).filter((key) => /^[xy]axis\d*$/.test(key))])];

/** Returns the traces that are drawn in black, which stands for the colour of text. */
function inked(data) {
  const black = (trace, part) => BLACK.has(trace[part]?.color);
  return ["line", "marker"].flatMap((part) =>
    data.map((trace, index) => (black(trace, part) ? [[`${part}.color`, index]] : [])).flat());
}

function put(object, path, value) {
  const keys = path.split(".");
  const last = keys.pop();
  let target = object;
  for (const key of keys) target = target[key] ??= {};
  target[last] = value;
}

function draw(plot) {
  if (plot.axes) return;
  const source = document.querySelector(`script[data-for="${plot.id}"]`);
  const { data, layout } = JSON.parse(source.textContent);
  const now = screenColours();
  plot.axes = axesOf(layout);
  plot.inked = inked(data);
  plot.drawnHeight = layout.height ??= HEIGHT;
  for (const [path, index] of plot.inked) put(data[index], path, now.ink);
  for (const [path, value] of Object.entries(colours(plot.axes, now))) put(layout, path, value);
  for (const axis of plot.axes) put(layout, `${axis}.fixedrange`, true); // so that a swipe over a figure scrolls the page
  Object.assign(layout, { dragmode: false, autosize: true });
  delete layout.width;
  Plotly.newPlot(plot, data, layout, CONFIG);
  plot.style.minHeight = 0; // the reserved height: a flat figure needs less
  if (plot.dataset.cells) plot.on("plotly_click", (event) => openPoint(plot.dataset.cells, event.points[0]));
}

function redraw(now, sized) {
  for (const plot of plots.filter((each) => each.axes)) {
    for (const [path, index] of plot.inked) Plotly.restyle(plot, { [path]: now.ink }, [index]);
    Plotly.relayout(plot, { ...colours(plot.axes, now), ...sized(plot) });
  }
}

const onScreen = () => redraw(screenColours(), (plot) => ({ width: null, height: plot.drawnHeight, autosize: true }));

function onPaper() {
  const [low, high] = PRINT_HEIGHTS;
  const height = ({ drawnHeight }) => (drawnHeight <= high ? Math.min(drawnHeight, low) : drawnHeight);
  redraw(PRINT, (plot) => ({ width: PRINT_WIDTH, height: height(plot), autosize: false }));
}

// Images of a cell

function openCell(anchor) {
  const images = document.getElementById(anchor);
  if (!images) return false;
  const copies = [...document.getElementById(`${anchor}-name`).childNodes].map((node) => node.cloneNode(true));
  document.getElementById("album-name").replaceChildren(...copies);
  const list = images.cloneNode(true);
  list.removeAttribute("id");
  document.getElementById("album-images").replaceChildren(list);
  album.showModal();
  album.scrollTop = 0;
  return true;
}

function openPoint(split, point) {
  const [row, column] = point.customdata ?? [point.y, point.x];
  openCell(`${split}-cell-${row}-${column}`);
}

for (const link of document.querySelectorAll(".matrix a")) {
  link.setAttribute("aria-haspopup", "dialog");
  link.addEventListener("click", (event) => {
    if (openCell(link.hash.slice(1))) event.preventDefault();
  });
}
album?.querySelector("button").addEventListener("click", () => album.close());
album?.addEventListener("click", (event) => {
  if (event.target === album) album.close(); // a click outside
});

// Collapsed parts: their figures are drawn when they open, and paper shows all of them

const parts = [...document.querySelectorAll("details.part, details.more")];
let closed = [];

const drawVisible = (within) => { for (const plot of within.querySelectorAll(".plot")) if (plot.checkVisibility()) draw(plot); };

/** Opens the collapsed part that a link leads to, or into. */
function openTarget() {
  const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  const part = target?.closest?.("details.part") ?? target?.querySelector?.(":scope > details.part");
  if (part && !part.open) {
    part.open = true;
    target.scrollIntoView();
  }
}

for (const part of parts) part.addEventListener("toggle", () => drawVisible(part));
addEventListener("hashchange", openTarget);
drawVisible(document);
openTarget();
dark.addEventListener("change", onScreen);
addEventListener("beforeprint", () => {
  closed = parts.filter((part) => !part.open);
  for (const part of closed) part.open = true;
  drawVisible(document);
  onPaper();
});
addEventListener("afterprint", () => {
  for (const part of closed) part.open = false;
  onScreen();
});
