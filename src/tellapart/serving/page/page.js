// The page: choosing images, and the description of the classifier.

import { addCards, percent, removeCards, setPreprocessing } from "./cards.js";
import { count, fetchModel } from "./service.js";
import { requestToken, token } from "./token.js";

const MAX_CLASSES = 200; // whose names are on the page

const byId = (id) => document.getElementById(id);

function predict(files) {
  byId("notice").textContent = files.length ? "" : "No image found. Choose an image file.";
  if (!files.length) return;
  byId("predictions").hidden = false;
  document.body.classList.add("predicted");
  addCards(files);
}

function clear() {
  removeCards();
  byId("predictions").hidden = true;
  document.body.classList.remove("predicted");
  byId("files").focus();
}

function accuracyText({ n, accuracy }) {
  const [low, high] = [accuracy.low, accuracy.high].map((bound) => percent.format(bound));
  const images = `${count.format(n)} test images`;
  return `${percent.format(accuracy.value)} on ${images} (95% interval ${low} to ${high})`;
}

function describe({ name, classes, preprocessing, metrics, can_explain: explains, needs_token: guarded }) {
  if (guarded && !token()) requestToken("");
  document.title = `${name} · tellapart`;
  document.body.classList.toggle("explains", Boolean(explains));
  byId("lead").textContent = `Choose an image to see which of the ${classes.length} classes of ${name} it shows.`;
  const more = classes.length > MAX_CLASSES ? [`and ${count.format(classes.length - MAX_CLASSES)} more`] : [];
  byId("classes").replaceChildren(
    ...[...classes.slice(0, MAX_CLASSES), ...more].map((label) =>
      Object.assign(document.createElement("li"), { textContent: label }),
    ),
  );
  setPreprocessing(preprocessing);
  const { width, height, channels } = preprocessing;
  byId("size").textContent = `${width} × ${height} pixels, in ${channels === 1 ? "grey" : "colour"}`;
  byId("about").hidden = false;
  if (!metrics.test?.accuracy) return;
  byId("accuracy").textContent = accuracyText(metrics.test);
  byId("measured").hidden = false;
}

// Choose, take a photo, drop, paste

for (const input of [byId("files"), byId("camera")]) {
  input.addEventListener("change", () => {
    predict([...input.files]);
    input.value = ""; // so that the same file can be chosen again
  });
}
byId("clear").addEventListener("click", clear);
document.addEventListener("paste", ({ clipboardData, target }) => {
  if (target.id !== "token") predict([...clipboardData.files]);
});
document.addEventListener("dragover", (event) => {
  event.preventDefault(); // or the browser would leave the page and open the file
  document.body.classList.add("dragging");
});
document.addEventListener("dragleave", ({ relatedTarget }) => {
  if (!relatedTarget) document.body.classList.remove("dragging");
});
document.addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("dragging");
  predict([...event.dataTransfer.files]);
});

// The page works without the description, so a failure is not reported.
fetchModel().then(describe).catch(() => {});
