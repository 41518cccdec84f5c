"use strict";
const all = (selector) => [...document.querySelectorAll(selector)];
const specs = {};
for (const element of all("script[data-figure]")) specs[element.dataset.figure] = JSON.parse(element.textContent);

// Where the switches of a figure stand, by their names.
function standing(figure) {
  const form = document.querySelector(`form[data-figure="${figure}"]`);
  return form ? Object.fromEntries(new FormData(form)) : {};
}

// A panel as the switches stand: every view whose conditions hold changes the encodings that it names.
function viewed(chart, views, stand) {
  const changed = structuredClone(chart);
  for (const { when, patch } of views) {
    if (!Object.entries(when).every(([name, value]) => stand[name] === value)) continue;
    for (const layer of changed.layer)
      for (const [channel, change] of Object.entries(patch))
        if (layer.encoding?.[channel]?.field) Object.assign(layer.encoding[channel], structuredClone(change));
  }
  return changed;
}

function whole({ usermeta, ...spec }, stand) {
  return { ...spec, concat: spec.concat.map((chart, i) => viewed(chart, usermeta?.views[i] ?? [], stand)) };
}

// One panel of a figure as a chart of its own: as wide as its box, without the title and legend that the page sets.
function panel(spec, index, stand) {
  const { concat, columns, title, ...shared } = whole(spec, stand);
  const { title: heading, ...chart } = concat[index];
  const config = { ...shared.config, background: "transparent", legend: { disable: true } };
  return { ...shared, ...chart, config, width: "container", autosize: { type: "fit-x", contains: "padding" } };
}

const options = { mode: "vega-lite", renderer: "svg", actions: false };
const views = new Map();
async function draw(box) {
  const { figure } = box.dataset;
  views.get(box)?.finalize();
  views.set(box, await vegaEmbed(box, panel(specs[figure], Number(box.dataset.panel), standing(figure)), options));
  box.querySelector("svg").ariaHidden = "true"; // the box is the image, and has its name
}

// One after the other, from the top, so that the page answers while it draws.
let last = Promise.resolve();
function drawAll(boxes) {
  for (const box of boxes) last = last.then(() => draw(box)).then(() => new Promise((done) => setTimeout(done)));
  return last;
}
drawAll(all(".chart")).then(() => { document.documentElement.dataset.drawn = "yes"; });

for (const form of all("form.switches")) {
  form.hidden = false;
  form.reset();
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("change", async () => {
    delete form.dataset.drawn;
    await drawAll(all(`.chart[data-figure="${form.dataset.figure}"]`));
    form.dataset.drawn = "yes";
  });
}

function offer(href, name) {
  const link = document.createElement("a");
  link.href = href;
  link.download = name;
  link.click();
}

async function saveFigure({ figure, format }) {
  const drawn = await vegaEmbed(document.createElement("div"), whole(specs[figure], standing(figure)), options);
  offer(await drawn.view.toImageURL(format, 2), `${figure}.${format}`);
  drawn.finalize();
}

// The records, which travel packed: see raw.py. Epochs are lists there, and objects in the file.
async function records() {
  const bytes = Uint8Array.from(atob(document.getElementById("records").textContent), (sign) => sign.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return JSON.parse(await new Response(stream).text());
}

function csv({ columns: { identity, curve, final }, records }) {
  const text = (value) => (typeof value === "object" && value ? JSON.stringify(value) : String(value ?? ""));
  const cell = (value) => (/[",\n\r]/.test(text(value)) ? `"${text(value).replaceAll('"', '""')}"` : text(value));
  const names = Object.entries(final);
  const lines = [[...identity, ...curve, ...names.map(([name]) => name)]];
  for (const record of records) {
    const end = names.map(([, name]) => record.outcome?.[name]);
    const epochs = record.epochs.length ? record.epochs : [curve.map(() => null)];
    epochs.forEach((epoch, i) => {
      const isLast = i === epochs.length - 1;
      lines.push([...identity.map((name) => record[name]), ...epoch, ...(isLast ? end : end.map(() => null))]);
    });
  }
  return lines.map((line) => line.map(cell).join(",") + "\n").join("");
}

function json({ columns: { curve }, left_out, summary, records }) {
  const named = (epoch) => Object.fromEntries(curve.map((name, i) => [name, epoch[i]]));
  const full = records.map((record) => ({ ...record, epochs: record.epochs.map(named) }));
  return JSON.stringify({ left_out, summary, records: full }, null, 1) + "\n";
}

async function saveRecords(format) {
  const content = { csv, json }[format](await records());
  const type = { csv: "text/csv", json: "application/json" }[format];
  const url = URL.createObjectURL(new Blob([content], { type }));
  offer(url, `${document.querySelector("h1").textContent || "study"}.${format}`);
  setTimeout(() => URL.revokeObjectURL(url), 60000);
}

for (const button of all(".save button")) {
  const { raw } = button.dataset;
  button.addEventListener("click", () => (raw ? saveRecords(raw) : saveFigure(button.dataset)));
  button.parentElement.hidden = false;
}

// The results sorted, by a heading or by the list beside the filter; cells without a number stand last.
const results = document.querySelector(".results");
const tools = document.querySelector(".tools");
const inOrder = [...results.tBodies[0].rows];
const sorting = { column: "", down: false };
const names = (row) => row.querySelector("th bdi").textContent;

function sort() {
  const { column, down } = sorting;
  const key = (row) => (column === "0" ? names(row) : row.cells[column]?.dataset.value ?? row.cells[column]?.textContent);
  const compare = (a, b) => {
    const [x, y] = [key(a), key(b)];
    const numbers = [Number(x), Number(y)];
    const [first, second] = numbers.map(Number.isNaN);
    if (first !== second && column !== "0") return first ? 1 : -1;
    const order = first ? x.localeCompare(y) : numbers[0] - numbers[1];
    return down ? -order : order;
  };
  const rows = column === "" ? (down ? [...inOrder].reverse() : inOrder) : [...inOrder].sort(compare);
  results.tBodies[0].append(...rows);
  for (const head of results.tHead.rows[0].cells) head.removeAttribute("aria-sort");
  if (column !== "") results.tHead.rows[0].cells[column].ariaSort = down ? "descending" : "ascending";
  tools.querySelector("select").value = column;
  tools.querySelector("button").ariaPressed = String(down);
}

// Rows of every table whose names hold one of the words.
function filter(text) {
  const words = text.toLowerCase().split(",").map((word) => word.trim()).filter(Boolean);
  for (const row of all("tbody tr")) {
    const name = row.querySelector("th bdi")?.textContent.toLowerCase();
    row.hidden = words.length > 0 && !words.some((word) => name?.includes(word));
  }
  const shown = inOrder.filter((row) => !row.hidden).length;
  tools.querySelector("output").textContent = words.length ? `${shown} of ${inOrder.length} shown` : "";
}

if (tools) {
  tools.hidden = false;
  tools.reset();
  tools.addEventListener("submit", (event) => event.preventDefault());
  tools.querySelector("input").addEventListener("input", (event) => filter(event.target.value));
  tools.querySelector("select").addEventListener("change", (event) => {
    sorting.column = event.target.value;
    sort();
  });
  tools.querySelector("button").addEventListener("click", () => {
    sorting.down = !sorting.down;
    sort();
  });
  [...results.tHead.rows[0].cells].forEach((head, index) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const same = sorting.column === String(index);
      Object.assign(sorting, { column: String(index), down: same && !sorting.down });
      sort();
    });
  });
}

// What is folded on the screen is open on paper, but for the table of every pair, which is wider than any.
// Paper is narrower than the window: redraw the panels for it, so that their text keeps its size.
function fit(printing) {
  for (const folded of all(printing ? "details:not(.pairs, [open])" : ".unfolded")) {
    folded.open = printing;
    folded.classList.toggle("unfolded", printing);
  }
  document.documentElement.classList.toggle("printing", printing);
  window.dispatchEvent(new Event("resize"));
}
window.addEventListener("beforeprint", () => fit(true));
window.addEventListener("afterprint", () => fit(false));
