// The ways in, and what is known about the classifier.

import { addCards, fitted, percent, removeCards } from "./cards.js";
import { count, facts } from "./service.js";
import { anotherToken, token } from "./token.js";

const byId = (id) => document.getElementById(id);

function take(files) {
  byId("notice").textContent = files.length ? "" : "There was no image in that. Choose an image file.";
  if (!files.length) return;
  byId("answers").hidden = false;
  document.body.classList.add("answered");
  addCards(files);
}

function clear() {
  removeCards();
  byId("answers").hidden = true;
  document.body.classList.remove("answered");
  byId("files").focus();
}

function accuracyText({ n, accuracy }) {
  const [low, high] = [accuracy.low, accuracy.high].map((bound) => percent.format(bound));
  const images = `${count.format(n)} images that it had not seen`;
  return `${percent.format(accuracy.value)} on ${images} (95% interval ${low} to ${high})`;
}

function describe({ name, classes, preprocessing, metrics, can_explain: explains, needs_token: guarded }) {
  if (guarded && !token()) anotherToken("");
  document.title = `${name} · tellapart`;
  document.body.classList.toggle("explains", Boolean(explains));
  byId("lead").textContent = `Show an image, and see which of ${classes.length} categories of ${name} it is.`;
  byId("classes").replaceChildren(
    ...classes.map((label) => Object.assign(document.createElement("li"), { textContent: label })),
  );
  fitted(preprocessing);
  const { width, height, channels } = preprocessing;
  byId("size").textContent = `${width} × ${height} pixels, in ${channels === 1 ? "grey" : "colour"}`;
  byId("about").hidden = false;
  if (!metrics.test?.accuracy) return;
  byId("accuracy").textContent = accuracyText(metrics.test);
  byId("measured").hidden = false;
}

// Choose, photograph, drop, paste

for (const input of [byId("files"), byId("camera")]) {
  input.addEventListener("change", () => {
    take([...input.files]);
    input.value = ""; // so that the same file can be chosen again
  });
}
byId("clear").addEventListener("click", clear);
document.addEventListener("paste", ({ clipboardData, target }) => {
  if (target.id !== "token") take([...clipboardData.files]);
});
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
facts().then(describe).catch(() => {});
