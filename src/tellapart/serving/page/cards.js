// One card per image. Names of classes and files are only ever set as text.

import { fetchPrediction } from "./service.js";

const MAX_ANNOUNCEMENTS = 20;
const ASPECT_TOLERANCE = 0.02; // aspect ratios that differ by less look the same

const byId = (id) => document.getElementById(id);
export const percent = new Intl.NumberFormat("en", {
  style: "percent",
  minimumFractionDigits: 1,
  maximumFractionDigits: 1,
});

/** Format a probability. Rounding never makes it certain: neither 0.0% nor 100.0%. */
function likelihood(probability) {
  if (probability < 0.0005) return `<${percent.format(0.001)}`;
  if (probability >= 0.9995) return `>${percent.format(0.999)}`;
  return percent.format(probability);
}

let queue = Promise.resolve(); // one image at a time: a long list must not crowd out other users
let cleared = new AbortController();
let aspect = null; // width by height of the crop that the classifier sees, if it crops images

/** Set how images are preprocessed for the classifier. */
export function setPreprocessing({ fit, width, height }) {
  aspect = fit === "crop" ? width / height : null;
}

/** Add a card for each file, in order, above the present ones, and predict them one by one. */
export function addCards(files) {
  const cards = files.map((file) => new Card(file, cleared.signal));
  byId("cards").prepend(...cards.map((card) => card.element));
  cards.forEach((card) => card.predict());
}

export function removeCards() {
  cleared.abort();
  cleared = new AbortController();
  byId("cards").replaceChildren();
  byId("announcements").replaceChildren();
}

/** Announce a message to screen readers. */
function announce(text) {
  const line = document.createElement("p");
  line.textContent = text;
  byId("announcements").append(line);
  if (byId("announcements").children.length > MAX_ANNOUNCEMENTS) byId("announcements").firstChild.remove();
}

class Card {
  constructor(file, signal) {
    this.file = file;
    this.signal = signal;
    this.element = byId("card").content.cloneNode(true).firstElementChild;
    this.explanation = null; // a promise once it is requested
    this.find(".file").textContent = file.name;
    this.find(".retry").addEventListener("click", () => {
      this.find(".label").focus(); // the button disappears: keep the keyboard focus in the card
      this.predict();
    });
    this.find(".explain").addEventListener("click", () => this.toggleExplanation());
    this.pixels = this.showPhoto(); // a promise
  }

  find(selector) {
    return this.element.querySelector(selector);
  }

  /** Show the image, and resolve to its number of pixels: 0 if this browser cannot show it. */
  showPhoto() {
    const photo = this.find(".photo");
    photo.alt = this.file.name;
    photo.src = URL.createObjectURL(this.file);
    return new Promise((resolve) => {
      const done = () => {
        URL.revokeObjectURL(photo.src);
        resolve(photo.naturalWidth * photo.naturalHeight);
      };
      photo.addEventListener("load", done);
      photo.addEventListener("error", () => {
        this.element.classList.add("no-photo");
        done();
      });
    });
  }

  predict() {
    this.show("waiting", { title: "Predicting…" });
    queue = queue.then(async () => {
      if (this.signal.aborted) return; // cleared while it waited
      try {
        const options = { waiting: this.waiting(), signal: this.signal };
        this.showPrediction(await fetchPrediction(this.file, await this.pixels, options));
      } catch (failure) {
        this.showFailure(failure);
      }
    });
  }

  /** Return a function that shows why it takes longer; the reason is announced once, however often it retries. */
  waiting() {
    let announced = false;
    return (sentence) => {
      this.find(".label").textContent = sentence ? "Waiting…" : "Predicting…";
      this.find(".sentence").textContent = sentence;
      if (!announced) announce(`${this.file.name}: ${sentence}`);
      announced = true;
    };
  }

  showPrediction({ label, probability, unknown, top }) {
    const guess = `${label}, ${likelihood(probability)}`;
    if (unknown) {
      const sentence = `Not confident enough. Best guess: ${guess}.`;
      this.show("unknown", { title: "I don’t know", sentence, classes: top });
      announce(`${this.file.name}: I don’t know. Best guess: ${guess}`);
    } else {
      this.show("predicted", { title: label, classes: top });
      announce(`${this.file.name}: ${guess}`);
    }
  }

  showFailure({ title, message, retry }) {
    if (this.signal.aborted) return;
    this.show("failed", { title, sentence: message, retry });
    announce(`${this.file.name}: ${title}. ${message}`);
  }

  show(state, { title, sentence = "", classes = [], retry = false }) {
    this.element.dataset.state = state;
    this.find(".label").textContent = title;
    this.find(".sentence").textContent = sentence;
    this.find(".bars").replaceChildren(...classes.map(bar));
    this.find(".retry").hidden = !retry;
    this.find(".explain").hidden = classes.length === 0;
  }

  async toggleExplanation() {
    const button = this.find(".explain");
    const visible = button.getAttribute("aria-expanded") !== "true";
    button.setAttribute("aria-expanded", visible);
    button.textContent = visible ? "Hide explanation" : "Show explanation";
    this.find(".overlay").hidden = this.find(".explanation").hidden = !visible;
    if (!visible || this.explanation) return; // loaded already, or loading
    this.explanation = this.loadExplanation();
    if (!(await this.explanation)) this.explanation = null; // the next click tries again
  }

  /** Fetch the saliency map and show it over the image. Resolves to true if there is one. */
  async loadExplanation() {
    const say = (text) => (this.find(".meaning").textContent = text);
    const waiting = (sentence) => say(sentence || "Computing the explanation…");
    this.element.classList.remove("explained");
    waiting("");
    try {
      const options = { explain: true, waiting, signal: this.signal };
      const { explanation, label } = await fetchPrediction(this.file, await this.pixels, options);
      if (!explanation) throw new Error("The service has no explanation for this image.");
      await this.showOverlay(explanation);
      const unmeasured = "How much the prediction depends on them was not measured.";
      say(explanation.meaning || `Regions that speak for “${label}”. ${unmeasured}`);
      announce(`${this.file.name}: ${this.find(".meaning").textContent}`);
      return true;
    } catch (failure) {
      const sentence = [failure.title, failure.message].filter(Boolean).join(". ");
      say(sentence);
      if (!this.signal.aborted) announce(`${this.file.name}: ${sentence}`);
      return false;
    }
  }

  async showOverlay({ overlay }) {
    const photo = this.find(".photo");
    const same = Math.abs(Math.log(photo.naturalWidth / photo.naturalHeight / aspect)) < ASPECT_TOLERANCE;
    this.find(".edges").hidden = aspect === null || same;
    const map = this.find(".overlay");
    map.src = overlay;
    map.alt = `Saliency map of ${this.file.name}: bright regions matter most`;
    await map.decode().catch(() => {
      map.removeAttribute("src");
      throw new Error("The explanation is not an image.");
    });
    this.element.classList.add("explained");
  }
}

function bar({ label, probability }) {
  const row = byId("bar").content.cloneNode(true);
  row.querySelector(".name").textContent = label;
  row.querySelector(".share").textContent = likelihood(probability);
  row.querySelector(".fill").style.inlineSize = `${100 * probability}%`;
  return row;
}
