// What pages gain with scripts: states that follow by themselves, copy buttons, prices that follow the
// choice. Every function of the portal works without this file.
"use strict";

// One submission a click: a second click while the first is under way sends nothing. The button says that it was
// pressed, unless the answer is there at once, and says to whoever presses again that it is still under way.
const pressed = new Map();
function sayOn(form, text) {
  const { button } = pressed.get(form) ?? {};
  if (!button || !form.dataset.sent) return;
  button.setAttribute("aria-disabled", "true");
  button.textContent = text;
  announce(text);
}
document.addEventListener("submit", (event) => {
  const form = event.target;
  const words = document.body.dataset;
  if (form.dataset.sent) {
    event.preventDefault();
    sayOn(form, words.sendingStill);
    return;
  }
  form.dataset.sent = "yes";
  const button = event.submitter;
  if (!button?.matches(".button")) return;
  pressed.set(form, { button, label: [...button.childNodes] });
  setTimeout(() => sayOn(form, words.sending), 400);
});
window.addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
  for (const { button, label } of pressed.values()) {
    button.removeAttribute("aria-disabled");
    button.replaceChildren(...label);
  }
  pressed.clear();
});

// What is said to those who don't see the page. It is there before anything is said: readers watch no other.
const announcer = document.createElement("p");
announcer.className = "hidden";
announcer.setAttribute("role", "status");
document.body.append(announcer);
function announce(text) {
  announcer.textContent = "";
  // Said anew even if it is the same as before.
  setTimeout(() => { announcer.textContent = text; }, 50);
}

// What a page says of the last deed is there from the start, where most readers don't notice it.
const notice = document.querySelector("main > .notice");
if (notice) setTimeout(announce, 500, notice.textContent);

// Copy buttons. Where the browser refuses, the text is marked instead, so that keys and menus can copy it.
function showCopyButtons(root) {
  if (!navigator.clipboard) return;
  for (const button of root.querySelectorAll("[data-copy]")) button.hidden = false;
}
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const source = document.getElementById(button.dataset.copy);
  const word = button.querySelector("[data-word]");
  let said = button.dataset.copied;
  try {
    await navigator.clipboard.writeText(source.textContent);
  } catch {
    said = button.dataset.refused;
    getSelection().selectAllChildren(source);
  }
  word.dataset.label ??= word.textContent;
  word.textContent = said;
  announce(said);
  setTimeout(() => { word.textContent = word.dataset.label; }, 3000);
});
showCopyButtons(document);

// Buttons that print the page.
for (const button of document.querySelectorAll("[data-print]")) {
  button.hidden = false;
  button.addEventListener("click", () => print());
}

// The price box follows the plan that is chosen: by the visitor, or by a browser that goes back to how the form was.
function showPrice() {
  const plan = document.querySelector("input[name=plan]:checked");
  for (const part of document.querySelectorAll("#price [data-price]")) {
    part.textContent = plan ? plan.dataset[part.dataset.price] : "";
  }
}
// What can't be had at the chosen data centre can't be chosen: no plan is, rather than one that nobody has asked for.
function followSite() {
  const site = document.querySelector("input[name=site]:checked")?.value;
  for (const plan of document.querySelectorAll("input[name=plan][data-gone]")) {
    plan.disabled = plan.dataset.gone.split(" ").includes(site);
    if (plan.disabled) plan.checked = false;
  }
  showPrice();
}
document.addEventListener("change", (event) => {
  if (event.target.name === "plan") showPrice();
  if (event.target.name === "site") followSite();
});
window.addEventListener("pageshow", followSite);
followSite();

// One box ticks all consents of a sign-up, and follows them.
const acceptAll = document.getElementById("accept-all");
if (acceptAll) {
  const consents = [...document.querySelectorAll(".consents input[name]")];
  const follow = () => { acceptAll.checked = consents.every((consent) => consent.checked); };
  acceptAll.closest("label").hidden = false;
  acceptAll.addEventListener("change", () => {
    for (const consent of consents) consent.checked = acceptAll.checked;
  });
  for (const consent of consents) consent.addEventListener("change", follow);
  window.addEventListener("pageshow", follow);
  follow();
}

// Live parts: an element with data-live is made like its newer self. Only what differs is touched, so that focus, marked
// text and screen readers stay where they are. The answer is parsed as a document by XMLHttpRequest, which neither runs
// scripts in it nor needs an HTML sink.

// What belongs to scripts or readers and is never taken over: whether copy buttons show, whether details are open,
// where the keyboard is, which form is under way.
function isOwn(element, name) {
  return (name === "hidden" && element.dataset.copy !== undefined)
    || (name === "open" && element.localName === "details")
    || (name === "tabindex" && element.dataset.live !== undefined)
    || (name === "data-sent" && element.localName === "form");
}

function patchAttributes(present, next) {
  for (const { name } of [...present.attributes]) {
    if (!next.hasAttribute(name) && !isOwn(present, name)) present.removeAttribute(name);
  }
  for (const { name, value } of next.attributes) {
    if (present.getAttribute(name) !== value && !isOwn(present, name)) present.setAttribute(name, value);
  }
}

// Children that count: blanks between elements are nobody's.
const childrenOf = (node) => [...node.childNodes].filter(
  (child) => child.nodeType === Node.ELEMENT_NODE || (child.nodeType === Node.TEXT_NODE && child.data.trim()));
const keyOf = (node) => (node.nodeType === Node.ELEMENT_NODE ? node.id || node.dataset.key || "" : "");
const isLike = (one, other) => one.nodeName === other.nodeName && keyOf(one) === keyOf(other);

// Which present child becomes which wanted one: as many as possible without moving any (their longest common sequence),
// then those that have a key and moved.
function pair(present, wanted) {
  const longest = Array.from({ length: present.length + 1 }, () => new Array(wanted.length + 1).fill(0));
  for (let i = present.length - 1; i >= 0; i -= 1) {
    for (let j = wanted.length - 1; j >= 0; j -= 1) {
      longest[i][j] = isLike(present[i], wanted[j])
        ? longest[i + 1][j + 1] + 1
        : Math.max(longest[i + 1][j], longest[i][j + 1]);
    }
  }
  const pairs = new Map();
  for (let i = 0, j = 0; i < present.length && j < wanted.length;) {
    if (isLike(present[i], wanted[j])) pairs.set(wanted[j++], present[i++]);
    else if (longest[i + 1][j] >= longest[i][j + 1]) i += 1;
    else j += 1;
  }
  const taken = new Set(pairs.values());
  for (const node of wanted) {
    if (pairs.has(node) || !keyOf(node)) continue;
    const moved = present.find((other) => !taken.has(other) && isLike(other, node));
    if (moved) {
      pairs.set(node, moved);
      taken.add(moved);
    }
  }
  return pairs;
}

function patch(present, next) {
  if (present.nodeType === Node.TEXT_NODE) {
    if (present.data !== next.data) present.data = next.data;
    return;
  }
  patchAttributes(present, next);
  // The words of these tick by themselves.
  if (present.dataset.left || (present.localName === "time" && present.dataset.ago)) return;
  const [before, wanted] = [childrenOf(present), childrenOf(next)];
  const pairs = pair(before, wanted);
  const kept = new Set(pairs.values());
  for (const node of before) if (!kept.has(node)) node.remove();
  let place = childrenOf(present)[0] ?? null;
  for (const node of wanted) {
    const found = pairs.get(node);
    if (!found) {
      const fresh = document.importNode(node, true);
      present.insertBefore(fresh, place);
      if (fresh.nodeType === Node.ELEMENT_NODE) showCopyButtons(fresh);
      continue;
    }
    if (found !== place) present.insertBefore(found, place);
    patch(found, node);
    place = found.nextSibling;
    while (place && !(place.nodeType === Node.ELEMENT_NODE || place.data.trim())) place = place.nextSibling;
  }
}

function renew(present, next) {
  const focused = document.activeElement;
  const held = present.contains(focused);
  const said = present.dataset.liveSay;
  patch(present, next);
  if (present.dataset.liveSay !== said) announce(present.dataset.liveSay);
  const told = document.querySelector(".notice[data-holds]");
  if (told && !told.dataset.holds.split(" ").includes(present.dataset.state)) told.remove();
  if (!held || document.activeElement === focused) return;
  // Moved with its row, or gone: then the part itself takes its place, so that the keyboard goes on from there.
  if (focused.isConnected && !focused.disabled) {
    focused.focus({ preventScroll: true });
  } else {
    present.tabIndex = -1;
    present.focus({ preventScroll: true });
  }
}

// The server's clock, as far from ours as it was when the page was made.
const note = document.getElementById("live-note");
let ahead = note ? Date.parse(note.dataset.at) - Date.now() : 0;

function tick() {
  const nearly = new Intl.RelativeTimeFormat(document.documentElement.lang);
  for (const time of document.querySelectorAll("time[data-ago]")) {
    const seconds = Math.floor((Date.now() + ahead - Date.parse(time.dateTime)) / 1000);
    // What is to come is told by its time.
    if (seconds < -60) continue;
    let text = time.dataset.ago;
    if (seconds >= 86400) text = nearly.format(-Math.floor(seconds / 86400), "day");
    else if (seconds >= 3600) text = nearly.format(-Math.floor(seconds / 3600), "hour");
    else if (seconds >= 60) text = nearly.format(-Math.floor(seconds / 60), "minute");
    else if (seconds >= 10) text = nearly.format(-Math.floor(seconds / 10) * 10, "second");
    if (time.textContent !== text) time.textContent = text;
  }
}

// How much is left of a time, to the second: beside its end, which is all that those without scripts are told.
function countDown() {
  for (const left of document.querySelectorAll("[data-left]")) {
    const seconds = Math.max(0, Math.ceil((Date.parse(left.dataset.left) - Date.now() - ahead) / 1000));
    const two = (number) => String(number % 60).padStart(2, "0");
    const time = `${Math.floor(seconds / 3600)}:${two(Math.floor(seconds / 60))}:${two(seconds)}`;
    left.textContent = left.dataset.words.replace("%time%", time);
  }
}

// What the page says of itself: nothing while it is current.
function say(kind, since) {
  const text = kind ? note.dataset[kind].replace("%time%", clock(since)) : "";
  document.documentElement.classList.toggle("stale", Boolean(kind));
  if (note.textContent.trim() === text.trim()) return;
  note.textContent = text;
  if (kind !== "ended") return;
  // The page itself leads to the sign-in page, and back.
  const way = document.createElement("a");
  way.href = location.pathname + location.search;
  way.textContent = note.dataset.signIn;
  note.append(" ", way);
}

function clock(at) {
  const parts = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
  try {
    return at.toLocaleTimeString(document.documentElement.lang, { ...parts, timeZone: note.dataset.zone });
  } catch {
    return at.toLocaleTimeString(document.documentElement.lang, parts);
  }
}

// Two polls without an answer are 15 seconds at most: IDLE_MAX + ANSWER_MAX + AGAIN + ANSWER_MAX.
const IDLE_MAX = 6000;
const ANSWER_MAX = 3500;
const AGAIN = 1500;
const AGAIN_MAX = 15000;

function ask(url, tag) {
  return new Promise((resolve) => {
    const request = new XMLHttpRequest();
    request.open("GET", url);
    request.responseType = "document";
    request.timeout = ANSWER_MAX;
    if (tag) request.setRequestHeader("If-None-Match", tag);
    request.onload = () => resolve(request);
    request.onerror = request.ontimeout = () => resolve({ status: 0 });
    request.send();
  });
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const inSight = () => new Promise((resolve) => {
  if (!document.hidden) return resolve();
  const seen = () => {
    if (document.hidden) return;
    document.removeEventListener("visibilitychange", seen);
    resolve();
  };
  document.addEventListener("visibilitychange", seen);
});

async function follow(part) {
  const current = () => Number(part.dataset.liveMs);
  let [tag, misses, wait, heard] = ["", 0, current(), new Date(Date.now() + ahead)];
  for (;;) {
    await pause(wait);
    // A tab that nobody sees asks for nothing.
    await inSight();
    const answer = await ask(part.dataset.live, tag);
    if (answer.status === 401) return say("ended", heard);
    const next = answer.status === 200 ? answer.response?.getElementById(part.id) : null;
    if (!next && answer.status !== 304) {
      misses += 1;
      if (misses > 1) say("stale", heard);
      wait = Math.min(AGAIN * misses, AGAIN_MAX);
      continue;
    }
    const date = Date.parse(answer.getResponseHeader("Date"));
    // To the second, and late by what the answer took.
    if (Math.abs(date - Date.now() - ahead) > 2500) ahead = date - Date.now();
    [misses, heard] = [0, new Date(Date.now() + ahead)];
    say("", heard);
    if (next) {
      tag = answer.getResponseHeader("ETag");
      renew(part, next);
      wait = current();
    } else if (current() > 2000) {
      // Nothing is under way and nothing has changed: less and less often.
      wait = Math.min(wait * 1.3, IDLE_MAX);
    }
    tick();
  }
}
if (note) {
  for (const part of document.querySelectorAll("[data-live]")) follow(part);
  setInterval(tick, 5000);
  countDown();
  setInterval(countDown, 1000);
}

// An estimate follows what is chosen and typed in its form: a part of the page that is made for that.
function followEstimate(form, selector, addressOf) {
  const request = new XMLHttpRequest();
  form.addEventListener("change", (event) => {
    const address = addressOf(new FormData(form), event.target);
    if (!address) return;
    // Whatever was asked before is of no use any more: opening ends it.
    request.open("GET", address);
    request.responseType = "document";
    request.send();
  });
  request.addEventListener("load", () => {
    const next = request.response?.querySelector(selector);
    if (next) patch(form.querySelector(selector), next);
  });
}
const calculator = document.getElementById("calculator");
if (calculator) followEstimate(calculator, ".estimate", (chosen) => `/calculator?${new URLSearchParams(chosen)}`);
// What a support job costs follows its services; of all else that is typed nothing stands in an address.
const cost = document.querySelector("[data-estimate]");
if (cost) {
  followEstimate(cost.closest("form"), "#estimate", (chosen, changed) => {
    const services = chosen.getAll("services").map((service) => ["services", service]);
    return changed.name === "services" && `${cost.dataset.estimate}?${new URLSearchParams(services)}`;
  });
}
