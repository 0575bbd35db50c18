// Asking the service: what it takes, and what its refusals mean to a person.

import { anotherToken, token } from "./token.js";

const SHOWN_CLASSES = 5;
const PATIENCE_MS = 60_000; // for one request, on a slow line
const BUSY_MS = 120_000; // how long a busy service is asked again
const LONGEST_PAUSE_S = 30;
const TITLES = {
  413: "This image is too large",
  415: "This image cannot be read",
  429: "The service is busy",
  503: "The service is busy",
};

export const count = new Intl.NumberFormat("en");
const megabytes = (bytes) => `${(bytes / 1e6).toFixed(1).replace(".0", "")} MB`;
const megapixels = (pixels) => `${count.format(Math.round(pixels / 1e6))} million pixels`;

const limits = { bytes: 10e6, pixels: Infinity }; // until the service says its own

/** Why there is no answer; `again` when the same image may work later. */
export class Failure extends Error {
  constructor(title, sentence, again = false) {
    super(sentence);
    this.title = title;
    this.again = again;
  }
}

/** What the service tells about its classifier. Throws a Failure. */
export async function facts() {
  const told = await json(await asked("v1/model", { method: "GET" }, {}));
  limits.bytes = told.max_body_bytes ?? limits.bytes;
  limits.pixels = told.max_pixels ?? limits.pixels;
  return told;
}

/** The answer for an image of so many pixels (0 if unknown). Throws a Failure.
 * `waiting` is called with a sentence for the person; `signal` ends it all. */
export async function answer(file, pixels, { explain = false, waiting, signal }) {
  await check(file, pixels);
  const body = new FormData();
  body.append("image", file, file.name);
  const address = `v1/predict?top=${SHOWN_CLASSES}${explain ? "&explain=true" : ""}`;
  const told = await json(await asked(address, { method: "POST", body }, { waiting, signal }));
  if (told.answers?.[0]?.top) return told.answers[0];
  throw new Failure("No answer", "What came back cannot be understood. Is something else at this address?");
}

async function check(file, pixels) {
  if (file.size > limits.bytes) {
    const sizes = `It has ${megabytes(file.size)}, and at most ${megabytes(limits.bytes)} are taken.`;
    throw new Failure(TITLES[413], `${sizes} Choose a smaller image.`);
  }
  if (pixels > limits.pixels) {
    const sizes = `It has ${megapixels(pixels)}, and at most ${megapixels(limits.pixels)} are taken.`;
    throw new Failure(TITLES[413], `${sizes} Choose a smaller image.`);
  }
  await file.slice(0, 1).arrayBuffer().catch(() => {
    throw new Failure("This cannot be opened", "A folder, perhaps, or moved since. Choose image files.");
  });
  if (file.size === 0) throw new Failure("This file is empty", "It has 0 bytes. Choose an image file.");
}

/** Ask until the service has neither a wish for a token nor too much to do. */
async function asked(address, options, { waiting = () => {}, signal = new AbortController().signal }) {
  const until = performance.now() + BUSY_MS;
  for (;;) {
    const used = token();
    const response = await fetched(address, options, used, signal);
    const seconds = pauseFor(response);
    if (response.status === 401) {
      waiting("It waits for the token.");
      await anotherToken(used);
    } else if (seconds && performance.now() + 1000 * seconds < until) {
      waiting(`The service is busy. Trying again in ${seconds} s.`);
      await pause(1000 * seconds, signal);
    } else {
      return response;
    }
    waiting("");
  }
}

async function fetched(address, options, used, signal) {
  const headers = used ? { Authorization: `Bearer ${used}` } : {};
  const limited = AbortSignal.any([signal, AbortSignal.timeout(PATIENCE_MS)]);
  try {
    return await fetch(address, { ...options, headers, signal: limited });
  } catch {
    const sentence = "It may have been stopped. Start it again, then try this image again.";
    throw new Failure("The service does not answer", sentence, true);
  }
}

/** After how many seconds to ask again; 0 when the service does not say to. */
function pauseFor({ status, headers }) {
  if (status !== 503 && status !== 429) return 0;
  const seconds = Number(headers.get("Retry-After"));
  return seconds > 0 ? Math.min(Math.ceil(seconds), LONGEST_PAUSE_S) : 0;
}

function pause(milliseconds, signal) {
  return new Promise((done) => {
    setTimeout(done, milliseconds);
    signal.addEventListener("abort", done, { once: true });
  });
}

async function json(response) {
  const told = await response.json().catch(() => ({}));
  if (response.ok) return told;
  const { status } = response;
  const error = told.error || `the service answered ${status}: look into its log`;
  const sentence = `${error[0].toUpperCase()}${error.slice(1)}.`.replace(/([.!?])\.$/, "$1");
  throw new Failure(TITLES[status] ?? "No answer", sentence, status >= 500 || status === 408 || status === 429);
}
