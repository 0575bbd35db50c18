// The token that a service may require: kept for this tab only, and sent to this service only.

const KEY = "tellapart token";
const byId = (id) => document.getElementById(id);

let current = load();
let pending = null; // a promise while the form is open

function load() {
  try {
    return sessionStorage.getItem(KEY) ?? "";
  } catch {
    return ""; // a browser without storage still has the variable above
  }
}

function save(value) {
  current = value;
  try {
    sessionStorage.setItem(KEY, value);
  } catch {
    // the token has to be entered again after a reload
  }
}

export const token = () => current;

/** Open the form, once for all waiting requests, until there is another token than the `refused` one. */
export async function requestToken(refused) {
  if (current !== refused) return; // another request has brought a new token meanwhile
  pending ??= openForm(refused).finally(() => (pending = null));
  await pending;
}

function openForm(refused) {
  const [gate, field] = [byId("gate"), byId("token")];
  byId("gate-text").textContent = refused
    ? "This token was not accepted. Check it and try again."
    : "This service requires a token.";
  gate.hidden = false;
  field.focus();
  return new Promise((resolve) => {
    gate.onsubmit = (event) => {
      event.preventDefault();
      save(field.value.trim());
      field.value = "";
      gate.hidden = true;
      byId("files").focus();
      resolve();
    };
  });
}
