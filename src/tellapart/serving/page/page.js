// Pictures in, cards out. Names of classes and files are only ever set as text.

const SHOWN_CLASSES = 5;
const PATIENCE_MS = 30_000;
const NEWS_KEPT = 20;

const byId = (id) => document.getElementById(id);
const percent = new Intl.NumberFormat("en", {
  style: "percent",
  minimumFractionDigits: 1,
  maximumFractionDigits: 1,
});
const count = new Intl.NumberFormat("en");
const megabytes = (bytes) => `${(bytes / 1e6).toFixed(1).replace(".0", "")} MB`;

let maxBytes = 10e6; // until the service says its own limit
let queue = Promise.resolve(); // one picture at a time: a long list must not crowd out others

/** Why a picture has no answer; `again` when the same picture may work later. */
class Failure extends Error {
  constructor(title, sentence, again = false) {
    super(sentence);
    this.title = title;
    this.again = again;
  }
}

// Asking the service

async function checked(file) {
  if (file.size > maxBytes) {
    const sizes = `It has ${megabytes(file.size)}, and at most ${megabytes(maxBytes)} are taken.`;
    throw new Failure("This file is too large", `${sizes} Choose a smaller picture.`);
  }
  try {
    await file.slice(0, 1).arrayBuffer();
  } catch {
    throw new Failure("This cannot be opened", "A folder, perhaps, or moved since. Choose picture files.");
  }
  if (file.size === 0) {
    throw new Failure("This file is empty", "It has 0 bytes. Choose a picture file.");
  }
  return file;
}

async function posted(file) {
  const body = new FormData();
  body.append("image", file, file.name);
  const signal = AbortSignal.timeout(PATIENCE_MS);
  try {
    return await fetch(`predict?top=${SHOWN_CLASSES}`, { method: "POST", body, signal });
  } catch {
    const sentence = "It may have been stopped. Start it again, then try this picture again.";
    throw new Failure("The service does not answer", sentence, true);
  }
}

const TITLES = { 413: "This file is too large", 415: "This picture cannot be read" };

async function answer(file) {
  const response = await posted(await checked(file));
  const told = await response.json().catch(() => ({ error: "the answer cannot be understood" }));
  if (told.error) {
    const sentence = `${told.error[0].toUpperCase()}${told.error.slice(1)}.`;
    throw new Failure(TITLES[response.status] ?? "No answer", sentence, response.status >= 500);
  }
  return told;
}

// Showing

function news(text) {
  const line = document.createElement("p");
  line.textContent = text;
  byId("news").append(line);
  if (byId("news").children.length > NEWS_KEPT) byId("news").firstChild.remove();
}

function bar({ label, probability }) {
  const row = byId("bar").content.cloneNode(true);
  row.querySelector(".name").textContent = label;
  row.querySelector(".share").textContent = percent.format(probability);
  row.querySelector(".fill").style.inlineSize = `${100 * probability}%`;
  return row;
}

function newCard(file) {
  const card = byId("card").content.cloneNode(true).firstElementChild;
  const picture = card.querySelector("img");
  picture.alt = `The picture ${file.name}`;
  picture.addEventListener("load", () => URL.revokeObjectURL(picture.src));
  picture.addEventListener("error", () => hidePicture(card, picture));
  picture.src = URL.createObjectURL(file);
  card.querySelector(".file").textContent = file.name;
  card.querySelector(".again").addEventListener("click", () => {
    card.querySelector(".label").focus(); // the button is about to go: the keyboard must not be left nowhere
    ask(card, file);
  });
  return card;
}

function hidePicture(card, picture) {
  URL.revokeObjectURL(picture.src);
  picture.hidden = true;
  card.classList.add("blind");
}

function show(card, state, { title, sentence = "", shares = [], again = false }) {
  card.dataset.state = state;
  card.querySelector(".label").textContent = title;
  card.querySelector(".sentence").textContent = sentence;
  card.querySelector(".bars").replaceChildren(...shares.map(bar));
  card.querySelector(".again").hidden = !again;
}

function ask(card, file) {
  show(card, "waiting", { title: "Looking…" });
  queue = queue.then(async () => {
    if (!card.isConnected) return; // cleared while it waited
    try {
      const told = await answer(file);
      show(card, "answered", { title: told.label, shares: told.top });
      news(`${file.name}: ${told.label}, ${percent.format(told.probability)}`);
    } catch (failure) {
      show(card, "failed", { title: failure.title, sentence: failure.message, again: failure.again });
      news(`${file.name}: ${failure.title}. ${failure.message}`);
    }
  });
}

function take(files) {
  const cards = files.map((file) => [newCard(file), file]);
  byId("notice").textContent = files.length ? "" : "There was no picture in that. Choose a picture file.";
  if (!files.length) return;
  byId("answers").hidden = false;
  document.body.classList.add("answered");
  byId("cards").prepend(...cards.map(([card]) => card));
  cards.forEach(([card, file]) => ask(card, file));
}

function clear() {
  byId("cards").replaceChildren();
  byId("news").replaceChildren();
  byId("answers").hidden = true;
  document.body.classList.remove("answered");
  byId("files").focus();
}

// What is known about the classifier

function accuracyText({ n, accuracy }) {
  const [low, high] = [accuracy.low, accuracy.high].map((bound) => percent.format(bound));
  const pictures = `${count.format(n)} pictures that it had not seen`;
  return `${percent.format(accuracy.value)} on ${pictures} (95% interval ${low} to ${high})`;
}

function describe({ name, classes, preprocessing, metrics, max_body_bytes: limit }) {
  maxBytes = limit;
  document.title = `${name} · tellapart`;
  byId("lead").textContent = `Show a picture, and see which of ${classes.length} categories of ${name} it is.`;
  byId("classes").replaceChildren(
    ...classes.map((label) => Object.assign(document.createElement("li"), { textContent: label })),
  );
  const { width, height, channels } = preprocessing;
  byId("size").textContent = `${width} × ${height} pixels, in ${channels === 1 ? "grey" : "colour"}`;
  byId("about").hidden = false;
  if (!metrics.test?.accuracy) return;
  byId("accuracy").textContent = accuracyText(metrics.test);
  byId("measured").hidden = false;
}

// The ways in: choose, drop, paste

byId("files").addEventListener("change", ({ target }) => {
  take([...target.files]);
  target.value = ""; // so that the same file can be chosen again
});
byId("clear").addEventListener("click", clear);
document.addEventListener("paste", ({ clipboardData }) => take([...clipboardData.files]));
document.addEventListener("dragover", (event) => {
  event.preventDefault(); // else the browser would leave the page and open the file
  document.body.classList.add("dragging");
});
document.addEventListener("dragleave", ({ relatedTarget }) => {
  if (!relatedTarget) document.body.classList.remove("dragging");
});
document.addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("dragging");
  take([...event.dataTransfer.files]);
});

// The page works without these facts, so their absence is no news.
fetch("model").then((response) => response.json()).then(describe).catch(() => {});
