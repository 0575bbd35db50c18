// Client of the service: checks the files, sends them, and turns errors into readable messages.

import { requestToken, token } from "./token.js";

const SHOWN_CLASSES = 5;
const REQUEST_TIMEOUT_MS = 60_000; // on a slow connection
const RETRY_FOR_MS = 120_000; // while the service is busy
const MAX_PAUSE_S = 30;
const TITLES = {
  413: "This image is too large",
  415: "This image cannot be read",
  429: "The service is busy",
  503: "The service is busy",
};

export const count = new Intl.NumberFormat("en");
const megabytes = (bytes) => `${(bytes / 1e6).toFixed(1).replace(".0", "")} MB`;
const megapixels = (pixels) => `${count.format(Math.round(pixels / 1e6))} million pixels`;

const limits = { bytes: 10e6, pixels: Infinity }; // until the service reports its own

/** The reason why there is no prediction; `retry` if the same image may work later. */
export class Failure extends Error {
  constructor(title, sentence, retry = false) {
    super(sentence);
    this.title = title;
    this.retry = retry;
  }
}

/** Fetch the description of the classifier. Throws a Failure. */
export async function fetchModel() {
  const model = await parseJson(await request("v1/model", { method: "GET" }, {}));
  limits.bytes = model.max_body_bytes ?? limits.bytes;
  limits.pixels = model.max_pixels ?? limits.pixels;
  return model;
}

/** Fetch the prediction for an image with that many pixels (0 if unknown). Throws a Failure.
 * `waiting` is called with a message for the user; `signal` cancels the request. */
export async function fetchPrediction(file, pixels, { explain = false, waiting, signal }) {
  await check(file, pixels);
  const body = new FormData();
  body.append("image", file, file.name);
  const url = `v1/predict?top=${SHOWN_CLASSES}${explain ? "&explain=true" : ""}`;
  const content = await parseJson(await request(url, { method: "POST", body }, { waiting, signal }));
  if (content.answers?.[0]?.top) return content.answers[0];
  throw new Failure("No prediction", "This is not a response of this service. Check the address of the page.");
}

async function check(file, pixels) {
  if (file.size > limits.bytes) {
    const sizes = `It has ${megabytes(file.size)}; the limit is ${megabytes(limits.bytes)}.`;
    throw new Failure(TITLES[413], `${sizes} Choose a smaller image.`);
  }
  if (pixels > limits.pixels) {
    const sizes = `It has ${megapixels(pixels)}; the limit is ${megapixels(limits.pixels)}.`;
    throw new Failure(TITLES[413], `${sizes} Choose a smaller image.`);
  }
  await file.slice(0, 1).arrayBuffer().catch(() => {
    throw new Failure("This cannot be opened", "It may be a folder, or a file that was moved. Choose image files.");
  });
  if (file.size === 0) throw new Failure("This file is empty", "It has 0 bytes. Choose an image file.");
}

/** Send a request, and retry it with another token or once a busy service has time. */
async function request(url, options, { waiting = () => {}, signal = new AbortController().signal }) {
  const deadline = performance.now() + RETRY_FOR_MS;
  for (;;) {
    const used = token();
    const response = await send(url, options, used, signal);
    const seconds = retryAfter(response);
    if (response.status === 401) {
      waiting("Waiting for the token.");
      await requestToken(used);
    } else if (seconds && performance.now() + 1000 * seconds < deadline) {
      waiting(`The service is busy. Retrying in ${seconds} s.`);
      await pause(1000 * seconds, signal);
    } else {
      return response;
    }
    waiting("");
  }
}

async function send(url, options, used, signal) {
  const headers = used ? { Authorization: `Bearer ${used}` } : {};
  const anySignal = AbortSignal.any([signal, AbortSignal.timeout(REQUEST_TIMEOUT_MS)]);
  try {
    return await fetch(url, { ...options, headers, signal: anySignal });
  } catch {
    const sentence = "It may have been stopped. Restart it, then try this image again.";
    throw new Failure("The service does not answer", sentence, true);
  }
}

/** Return the seconds after which to retry; 0 if the service does not ask for a retry. */
function retryAfter({ status, headers }) {
  if (status !== 503 && status !== 429) return 0;
  const seconds = Number(headers.get("Retry-After"));
  return seconds > 0 ? Math.min(Math.ceil(seconds), MAX_PAUSE_S) : 0;
}

function pause(milliseconds, signal) {
  return new Promise((resolve) => {
    setTimeout(resolve, milliseconds);
    signal.addEventListener("abort", resolve, { once: true });
  });
}

async function parseJson(response) {
  const content = await response.json().catch(() => ({}));
  if (response.ok) return content;
  const { status } = response;
  const error = content.error || `the service answered with status ${status}: see its log`;
  const sentence = `${error[0].toUpperCase()}${error.slice(1)}.`.replace(/([.!?])\.$/, "$1");
  throw new Failure(TITLES[status] ?? "No prediction", sentence, status >= 500 || status === 408 || status === 429);
}
