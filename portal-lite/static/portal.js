// What pages gain with scripts: states that follow by themselves, copy buttons, a price that follows the
// choice. Every function of the portal works without this file.
"use strict";

// One submission a click: a second click while the first is under way is dropped.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.dataset.sent) {
    event.preventDefault();
    return;
  }
  form.dataset.sent = "yes";
});
window.addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
});

// Copy buttons.
function showCopyButtons(root) {
  if (!navigator.clipboard) return;
  for (const button of root.querySelectorAll("[data-copy]")) button.hidden = false;
}
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const label = button.textContent;
  await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
  button.textContent = button.dataset.copied;
  setTimeout(() => { button.textContent = label; }, 1500);
});
showCopyButtons(document);

// The price box follows the plan that is chosen: by the visitor, or by a browser that goes back to how the form was.
function showPrice() {
  const plan = document.querySelector("input[name=plan]:checked");
  for (const part of document.querySelectorAll("#price [data-price]")) {
    part.textContent = plan ? plan.dataset[part.dataset.price] : "";
  }
}
document.addEventListener("change", (event) => {
  if (event.target.name === "plan") showPrice();
});
window.addEventListener("pageshow", showPrice);
showPrice();

// Live parts: an element with data-live is replaced by its newer self. The answer is parsed as a document
// by XMLHttpRequest, which neither runs scripts in it nor needs an HTML sink.
function fetchDocument(url) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("GET", url);
    request.responseType = "document";
    request.timeout = 15000;
    request.onload = () => {
      if (request.status === 401) {
        // The session is over: the page itself leads there too, and back.
        location.reload();
      } else if (request.status === 200) {
        resolve(request.response);
      } else {
        reject(new Error("status " + request.status));
      }
    };
    request.onerror = request.ontimeout = () => reject(new Error("unreachable"));
    request.send();
  });
}

function replace(present, next) {
  const fresh = document.importNode(next, true);
  showCopyButtons(fresh);
  if (present.isEqualNode(fresh)) return;
  const focused = present.contains(document.activeElement) ? document.activeElement.id : "";
  const said = present.dataset.liveSay;
  present.replaceWith(fresh);
  if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
  const announcement = document.getElementById("announcement");
  if (announcement && fresh.dataset.liveSay !== said) announcement.textContent = fresh.dataset.liveSay;
}

async function follow(id) {
  let pause = 0;
  for (;;) {
    const present = document.getElementById(id);
    const wait = Number(present.dataset.liveMs) + pause;
    await new Promise((resolve) => setTimeout(resolve, wait));
    if (document.hidden) continue;
    try {
      const answer = await fetchDocument(present.dataset.live);
      const next = answer.getElementById(id);
      if (next && !present.querySelector("form[data-sent]")) replace(present, next);
      pause = 0;
    } catch {
      // Not reachable: what is shown stays, and is asked for less and less often.
      pause = Math.min(pause * 2 + 2000, 30000);
    }
  }
}
for (const part of document.querySelectorAll("[data-live]")) follow(part.id);
