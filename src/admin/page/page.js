/*
 * Keeps the page live. It fetches the page each second and at each change on /events, and replaces the
 * parts that differ; the pod renders all of them. The script adds what only the browser knows: rates,
 * events since the page was opened, and whether the pod still responds.
 */
"use strict";

const PERIOD_MS = 1000;
const PATIENCE_MS = 3000;
const EVENTS_SHOWN = 12;
const STREAM_AGAIN_MS = 10000;

let basis = null; // {at, totals}: rates are what grew since then
const rates = new Map();
const seen = []; // events since the page was opened: {time, text}, the newest first
let states = null; // of the members, by address
let isLost = false;
let isAsking = false;
let isAskedAgain = false;
let stream = null;

// ---- rates

function inWords(rate) {
    for (const [unit, size] of [["G", 1e9], ["M", 1e6], ["k", 1e3]]) {
        if (rate >= size) return (rate / size).toFixed(rate < 10 * size ? 2 : 1) + " " + unit + "/s";
    }
    return (rate > 0 && rate < 10 ? rate.toFixed(1) : Math.round(rate)) + "/s";
}

function timeOf(page) {
    return Date.parse(page.querySelector("#contact time").dateTime);
}

function measure(page) {
    const at = timeOf(page);
    const totals = new Map();
    for (const e of page.querySelectorAll("[data-key]")) totals.set(e.dataset.key, Number(e.dataset.total));
    if (basis && at > basis.at && at - basis.at < 0.9 * PERIOD_MS) return;
    if (basis && at > basis.at) {
        for (const [key, total] of totals) {
            const grown = total - (basis.totals.get(key) ?? 0);
            rates.set(key, Math.max(0, grown) / ((at - basis.at) / 1000));
        }
    }
    basis = { at, totals };
}

function showRates(page) {
    for (const e of page.querySelectorAll("[data-key]")) {
        const rate = rates.get(e.dataset.key);
        if (rate === undefined) continue;
        e.textContent = inWords(rate);
        e.closest(".way")?.classList.toggle("busy", rate > 0);
    }
}

// ---- events

function note(time, text) {
    seen.unshift({ time, text });
    seen.length = Math.min(seen.length, EVENTS_SHOWN);
}

// The pod's own list of events has the changes of leader.
const isNews = (before, word) => word !== "leads" && !(before === "leads" && word === "alive");

function watchMembers(page) {
    const time = page.querySelector("#contact time").dateTime;
    const now = new Map();
    for (const e of page.querySelectorAll("[data-member]")) {
        const { member, name } = e.dataset;
        const word = e.querySelector(".state").textContent;
        const before = states?.get(member);
        now.set(member, { name, word });
        if (states && !before) note(time, `${name} is a member now`);
        else if (before && before.word !== word && isNews(before.word, word)) note(time, `${name} is ${word}`);
    }
    for (const [member, { name }] of states ?? []) {
        if (!now.has(member)) note(time, `${name} is no member any more`);
    }
    states = now;
}

function item(page, { time, text }) {
    const li = page.createElement("li");
    const when = page.createElement("time");
    const what = page.createElement("span");
    when.dateTime = time;
    when.textContent = time.slice(11, 19) + " UTC";
    what.textContent = text;
    li.append(when, " ", what);
    return li;
}

function showEvents(page) {
    const list = page.querySelector("#events");
    const all = [...list.children, ...seen.map((event) => item(page, event))];
    const time = (li) => Date.parse(li.querySelector("time").dateTime);
    all.sort((a, b) => time(b) - time(a));
    list.replaceChildren(...all.slice(0, EVENTS_SHOWN));
}

// ---- replacing the parts that differ

function matchAttributes(old, now) {
    for (const { name } of [...old.attributes]) {
        if (!now.hasAttribute(name)) old.removeAttribute(name);
    }
    for (const { name, value } of now.attributes) {
        if (old.getAttribute(name) !== value) old.setAttribute(name, value);
    }
}

function match(old, now) {
    if (old.nodeName !== now.nodeName) {
        old.replaceWith(document.importNode(now, true));
    } else if (old.nodeType !== Node.ELEMENT_NODE) {
        if (old.nodeValue !== now.nodeValue) old.nodeValue = now.nodeValue;
    } else {
        matchAttributes(old, now);
        const olds = [...old.childNodes], nows = [...now.childNodes];
        nows.forEach((child, i) => (i < olds.length ? match(olds[i], child) : old.append(document.importNode(child, true))));
        olds.slice(nows.length).forEach((child) => child.remove());
    }
}

function show(page) {
    if (page.documentElement.dataset.version !== document.documentElement.dataset.version) {
        location.reload(); // another version of the program, and perhaps of this script
        return;
    }
    const contact = page.querySelector("#contact");
    contact.dataset.contact = "live";
    contact.firstElementChild.textContent = "live, ";
    if (isLost) note(contact.querySelector("time").dateTime, "this pod responds again");
    isLost = false;
    measure(page);
    showRates(page);
    watchMembers(page);
    showEvents(page);
    document.title = page.title;
    for (const part of ["header", "main"]) match(document.querySelector(part), page.querySelector(part));
}

function showLost() {
    const contact = document.querySelector("#contact");
    contact.dataset.contact = "lost";
    contact.firstElementChild.textContent = "no response since";
    if (!isLost) document.querySelector("#said").textContent = "This pod does not respond.";
    isLost = true;
}

// ---- fetching

/* The current page, or null. */
async function load() {
    try {
        const response = await fetch("/", { cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS) });
        return response.ok ? new DOMParser().parseFromString(await response.text(), "text/html") : null;
    } catch {
        return null;
    }
}

/* One fetch at a time; a call in between causes one more. */
async function ask() {
    isAskedAgain = isAsking;
    if (isAsking) return;
    isAsking = true;
    const page = await load();
    isAsking = false;
    if (page) show(page);
    else showLost();
    if (isAskedAgain) ask();
}

/* The pod has few streams: a hidden page closes its own. */
function listen() {
    if (document.hidden) {
        stream?.close();
        stream = null;
    } else if (!stream || stream.readyState === EventSource.CLOSED) {
        stream = new EventSource("/events");
        stream.addEventListener("leader", ask);
    }
}

document.addEventListener("visibilitychange", () => {
    listen();
    if (!document.hidden) ask();
});
addEventListener("pagehide", () => stream?.close());
setInterval(() => document.hidden || ask(), PERIOD_MS);
setInterval(listen, STREAM_AGAIN_MS);
listen();
ask();
