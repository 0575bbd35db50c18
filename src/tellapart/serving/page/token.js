// The token that a service may ask for: kept for this tab only, and sent to the service alone.

const KEY = "tellapart token";
const byId = (id) => document.getElementById(id);

let current = recall();
let asking = null; // a promise while the form is open

function recall() {
  try {
    return sessionStorage.getItem(KEY) ?? "";
  } catch {
    return ""; // a browser that keeps nothing still has the variable above
  }
}

function keep(given) {
  current = given;
  try {
    sessionStorage.setItem(KEY, given);
  } catch {
    // asked for again after a reload, then
  }
}

export const token = () => current;

/** Open the form, once for all who wait, until there is another token than the one that was `refused`. */
export async function anotherToken(refused) {
  if (current !== refused) return; // somebody else's request has brought one meanwhile
  asking ??= asked(refused).finally(() => (asking = null));
  await asking;
}

function asked(refused) {
  const [gate, field] = [byId("gate"), byId("token")];
  byId("gate-text").textContent = refused
    ? "The service did not take this token. Check it, and give it again."
    : "This service is for those who have its token.";
  gate.hidden = false;
  field.focus();
  return new Promise((given) => {
    gate.onsubmit = (event) => {
      event.preventDefault();
      keep(field.value.trim());
      field.value = "";
      gate.hidden = true;
      byId("files").focus();
      given();
    };
  });
}
