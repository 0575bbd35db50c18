// A card for each image. Names of classes and files are only ever set as text.

import { answer } from "./service.js";

const NEWS_KEPT = 20;
const SAME_SHAPE = 0.02; // two shapes that differ by less look the same

const byId = (id) => document.getElementById(id);
export const percent = new Intl.NumberFormat("en", {
  style: "percent",
  minimumFractionDigits: 1,
  maximumFractionDigits: 1,
});

let queue = Promise.resolve(); // one image at a time: a long list must not crowd out others
let cleared = new AbortController();
let aspect = null; // width by height of what is cut out of an image for the classifier, if anything is

/** Say how images are made to fit the classifier. */
export function fitted({ fit, width, height }) {
  aspect = fit === "crop" ? width / height : null;
}

/** Add a card for each file, in their order, above what is there; each gets its answer in turn. */
export function addCards(files) {
  const cards = files.map((file) => new Card(file, cleared.signal));
  byId("cards").prepend(...cards.map((card) => card.element));
  cards.forEach((card) => card.ask());
}

export function removeCards() {
  cleared.abort();
  cleared = new AbortController();
  byId("cards").replaceChildren();
  byId("news").replaceChildren();
}

/** Tell those who hear the page. */
function news(text) {
  const line = document.createElement("p");
  line.textContent = text;
  byId("news").append(line);
  if (byId("news").children.length > NEWS_KEPT) byId("news").firstChild.remove();
}

class Card {
  constructor(file, signal) {
    this.file = file;
    this.signal = signal;
    this.element = byId("card").content.cloneNode(true).firstElementChild;
    this.explanation = null; // a promise, from the first time that it is wanted
    this.find(".file").textContent = file.name;
    this.find(".again").addEventListener("click", () => {
      this.find(".label").focus(); // the button is about to go: the keyboard must not be left nowhere
      this.ask();
    });
    this.find(".why").addEventListener("click", () => this.toggleExplanation());
    this.pixels = this.draw(); // a promise
  }

  find(selector) {
    return this.element.querySelector(selector);
  }

  /** Show the image, and count its pixels: 0 when this browser cannot show it. */
  draw() {
    const photo = this.find(".photo");
    photo.alt = `The image ${this.file.name}`;
    photo.src = URL.createObjectURL(this.file);
    return new Promise((counted) => {
      const done = () => {
        URL.revokeObjectURL(photo.src);
        counted(photo.naturalWidth * photo.naturalHeight);
      };
      photo.addEventListener("load", done);
      photo.addEventListener("error", () => {
        this.element.classList.add("blind");
        done();
      });
    });
  }

  ask() {
    this.show("waiting", { title: "Looking…" });
    queue = queue.then(async () => {
      if (this.signal.aborted) return; // cleared while it waited
      try {
        this.tell(await answer(this.file, await this.pixels, { waiting: this.waiting(), signal: this.signal }));
      } catch (failure) {
        this.fail(failure);
      }
    });
  }

  /** Show why it takes longer; it is told aloud once only, however often the service is asked. */
  waiting() {
    let told = false;
    return (sentence) => {
      this.find(".label").textContent = sentence ? "Waiting…" : "Looking…";
      this.find(".sentence").textContent = sentence;
      if (!told) news(`${this.file.name}: ${sentence}`);
      told = true;
    };
  }

  tell({ label, probability, unknown, top }) {
    const guess = `${label}, ${percent.format(probability)}`;
    if (unknown) {
      const sentence = `My best guess is not good enough: ${guess}.`;
      this.show("unknown", { title: "I don’t know", sentence, shares: top });
      news(`${this.file.name}: I don’t know. Best guess: ${guess}`);
    } else {
      this.show("answered", { title: label, shares: top });
      news(`${this.file.name}: ${guess}`);
    }
  }

  fail({ title, message, again }) {
    if (this.signal.aborted) return;
    this.show("failed", { title, sentence: message, again });
    news(`${this.file.name}: ${title}. ${message}`);
  }

  show(state, { title, sentence = "", shares = [], again = false }) {
    this.element.dataset.state = state;
    this.find(".label").textContent = title;
    this.find(".sentence").textContent = sentence;
    this.find(".bars").replaceChildren(...shares.map(bar));
    this.find(".again").hidden = !again;
    this.find(".why").hidden = shares.length === 0;
  }

  async toggleExplanation() {
    const button = this.find(".why");
    const wanted = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", wanted);
    this.find(".overlay").hidden = this.find(".because").hidden = !wanted;
    if (!wanted || this.explanation) return; // asked for already, or on its way
    this.explanation = this.explain();
    const found = await this.explanation;
    if (!found) this.explanation = null; // the next press asks anew
  }

  /** Fetch the map and lay it over the image; says whether there is one. */
  async explain() {
    const say = (text) => (this.find(".meaning").textContent = text);
    const waiting = (sentence) => say(sentence || "Finding out where it looked…");
    this.element.classList.remove("explained");
    waiting("");
    try {
      const options = { explain: true, waiting, signal: this.signal };
      const { explanation, label } = await answer(this.file, await this.pixels, options);
      if (!explanation) throw new Error("The service has no explanation for this image.");
      await this.overlay(explanation);
      say(explanation.meaning || `What spoke for “${label}”. How far the answer hangs on it was not measured.`);
      news(`${this.file.name}: ${this.find(".meaning").textContent}`);
      return true;
    } catch (failure) {
      const sentence = [failure.title, failure.message].filter(Boolean).join(". ");
      say(sentence);
      if (!this.signal.aborted) news(`${this.file.name}: ${sentence}`);
      return false;
    }
  }

  async overlay({ overlay }) {
    const photo = this.find(".photo");
    const same = Math.abs(Math.log(photo.naturalWidth / photo.naturalHeight / aspect)) < SAME_SHAPE;
    this.find(".edges").hidden = aspect === null || same;
    const map = this.find(".overlay");
    map.src = overlay;
    map.alt = `Where it looked in ${this.file.name}: dark is little, light is much`;
    await map.decode().catch(() => {
      map.removeAttribute("src");
      throw new Error("The explanation that came back is no image.");
    });
    this.element.classList.add("explained");
  }
}

function bar({ label, probability }) {
  const row = byId("bar").content.cloneNode(true);
  row.querySelector(".name").textContent = label;
  row.querySelector(".share").textContent = percent.format(probability);
  row.querySelector(".fill").style.inlineSize = `${100 * probability}%`;
  return row;
}
