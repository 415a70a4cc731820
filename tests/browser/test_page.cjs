// The page of the admin port in a real browser, with three real pods: scripts/check-browser runs it.
"use strict";

const assert = require("node:assert/strict");
const fs = require("node:fs");
const { after, before, test } = require("node:test");
const { chromium } = require("playwright-core");
const pods = require("./pods.cjs");

const axe = fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const PATIENCE_MS = 10000;
const PHONE = { viewport: { width: 360, height: 740 }, isMobile: true, hasTouch: true };
const WIDE = { viewport: { width: 1280, height: 900 } };

let browser;

before(async () => {
    await pods.startAll();
    // Root has no sandbox; the browser loads only our own page.
    browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: ["--no-sandbox"] });
});

after(async () => {
    await browser?.close();
    await pods.stopAll();
});

/** A page of this pod, with its problems: errors, policy violations, requests to other hosts. */
async function open(name, options = WIDE) {
    const context = await browser.newContext(options);
    context.setDefaultTimeout(PATIENCE_MS);
    const page = await context.newPage();
    const wrong = [];
    page.on("console", (message) => message.type() === "error" && wrong.push(message.text()));
    page.on("pageerror", (error) => wrong.push(error.message));
    page.on("dialog", (dialog) => wrong.push("dialog") && dialog.dismiss());
    page.on("request", (request) => request.url().startsWith(pods.url(name)) || wrong.push(request.url()));
    await page.addInitScript(() =>
        addEventListener("securitypolicyviolation", (e) => console.error(`policy: ${e.violatedDirective}`)));
    await page.goto(pods.url(name));
    if (options.javaScriptEnabled !== false) await page.waitForSelector("#contact[data-contact=live]");
    return { page, wrong, close: () => context.close() };
}

const text = (page, selector) => page.locator(selector).first().innerText();
const svgText = (page, selector) => page.locator(selector).first().textContent();
const number = (shown) => Number(shown.replaceAll(",", ""));
const shoot = (page, name) => page.screenshot({ path: `${process.env.LOGS}/${name}.png`, fullPage: true });

async function checkWho(page) {
    assert.equal(await text(page, "h1"), "a");
    assert.equal(await page.title(), "a leads, says b");
    assert.equal(number(await text(page, "#term")), (await pods.status("b")).term);
    assert.match(await text(page, ".hero"), /Since \d\d:\d\d:\d\d UTC · for \d+ m?s/);
    assert.match(await text(page, "#cause"), /^It leads because \w/);
    assert.deepEqual(await page.locator("#succession b").allInnerTexts(), ["a", "b", "c"]);
    const rows = page.locator("tr[data-member]");
    assert.equal(await rows.count(), 3);
    const said = (await pods.status("b")).members;
    for (const [i, member] of said.entries()) {
        assert.equal(await rows.nth(i).getAttribute("data-state"), member.state);
        assert.match(await rows.nth(i).innerText(), new RegExp(`^${member.name}\\b`));
    }
    assert.deepEqual(await rows.locator(".state").allInnerTexts(), ["leads", "alive", "alive"]);
    assert.match(await text(page, "#events"), /a leads, term/);
    assert.equal(await text(page, "[data-option=leader]"), "a");
}

test("the page shows the leader, the succession, the members, events and options", async () => {
    const { page, wrong, close } = await open("b");
    await checkWho(page);
    await shoot(page, "light");
    await close();
    assert.deepEqual(wrong, []);
});

test("without JavaScript the page shows the same, and reloads itself", async () => {
    const { page, wrong, close } = await open("b", { ...WIDE, javaScriptEnabled: false });
    await checkWho(page);
    assert.match(await text(page, "#contact"), /^as of \d\d:\d\d:\d\d UTC$/);
    assert.equal(await page.locator("svg.flow .node").count(), 4);
    const first = await text(page, "#contact");
    await pods.waitUntil("a refresh", 8000, async () => (await text(page, "#contact")) !== first);
    await shoot(page, "without-javascript");
    await close();
    assert.deepEqual(wrong, []);
});

test("values with HTML are shown as text", async () => {
    const { page, wrong, close } = await open("b");
    assert.equal(await text(page, ".where b"), pods.CLUSTER);
    assert.equal(await text(page, "[data-option=cluster]"), pods.CLUSTER);
    assert.equal(await page.locator("script").count(), 1); // the page's own
    await close();
    assert.deepEqual(wrong, []);
});

test("its policy forbids inline scripts and other hosts", async () => {
    const { page, wrong, close } = await open("b");
    await page.evaluate(async () => {
        const script = document.createElement("script");
        script.textContent = "document.title = 'mine'";
        document.body.append(script);
        document.body.setAttribute("style", "color: red");
        await fetch("http://127.0.90.9:8080/").catch(() => {});
    });
    assert.notEqual(await page.title(), "mine");
    for (const directive of ["script-src", "style-src", "connect-src"])
        assert.ok(wrong.some((line) => line.startsWith(`policy: ${directive}`)), `${directive}: ${wrong}`);
    await close();
});

/** Every number on the page that has a counterpart in /status, as {what: [shown, said]}. */
async function compare(page, name) {
    const shown = await page.evaluate(() => ({
        paths: [...document.querySelectorAll("[data-path]")].map((e) => [e.dataset.path, e.innerText]),
        members: [...document.querySelectorAll("[data-member]")].map((e) => [e.dataset.member,
            ...[...e.querySelectorAll("[data-total]")].map((n) => n.dataset.total)]),
        reasons: [...document.querySelectorAll("[data-reason]")].map((e) => [e.dataset.reason, e.querySelector("[data-total]").dataset.total]),
        ways: [...document.querySelectorAll("svg.flow .way")].map((e) => e.querySelector(".total").textContent),
    }));
    const said = await pods.status(name);
    const at = (path) => path.split(".").reduce((object, key) => object?.[key], said);
    const pairs = {};
    for (const [path, value] of shown.paths) {
        const is = at(path);
        if (!["uptime", "gap"].includes(path)) pairs[path] = typeof is === "number" ? [number(value), is] : [value, is];
    }
    for (const [address, ...totals] of shown.members) {
        const { relayed, received } = said.members.find((member) => member.address === address);
        if (totals.length) pairs[address] = [totals.map(Number).join(), `${relayed},${received}`];
    }
    for (const [reason, total] of shown.reasons) {
        const all = ["datagrams", "replies", "copies"].map((what) => said.counters[`${what}_dropped_total`][reason]);
        pairs[reason] = [Number(total), all[0] + all[1] + all[2]];
    }
    const { datagrams_received_total: got, replies_received_total: answers, ...c } = said.counters;
    const leads = said.me.role === "leader";
    const ways = [got.data + got.multicast, c.replies_sent_total,
        ...(leads ? [got.relay, c.replies_relayed_total, c.datagrams_delivered_total, answers.app] : [c.datagrams_relayed_total, answers.relay])];
    ways.forEach((total, i) => (pairs[`way ${i}`] = [number(shown.ways[i]), total]));
    return pairs;
}

test("at rest its numbers equal those of /status", async () => {
    await pods.ask("a", 30);
    await pods.ask("b", 1234);
    for (let i = 0; i < 3; i++) await pods.throwAt("b", 12001, "no frame");
    for (const name of ["a", "b"]) {
        const { page, wrong, close } = await open(name);
        let pairs;
        await pods.waitUntil(`the page of ${name} agrees`, 5000, async () => {
            pairs = await compare(page, name);
            return Object.values(pairs).every(([shown, said]) => shown === said);
        }).catch(() => {});
        for (const [what, [shown, said]] of Object.entries(pairs)) assert.equal(shown, said, `${name}: ${what}`);
        assert.ok(Object.keys(pairs).length >= 15, `only ${Object.keys(pairs)}`);
        if (name === "b") assert.deepEqual([pairs["way 0"], pairs.malformed], [[1234, 1234], [3, 3]]);
        await close();
        assert.deepEqual(wrong, []);
    }
});

/** Requests to b, one after the other, until stop() is called. */
function keepAsking() {
    let isOver = false;
    const end = (async () => {
        while (!isOver) await pods.ask("b", 20);
    })();
    return () => {
        isOver = true;
        return end;
    };
}

test("rates are updated", async () => {
    const { page, wrong, close } = await open("b");
    const first = "svg.flow .way.requests";
    const stop = keepAsking();
    try {
        await page.waitForSelector(`${first}.busy`, { state: "attached" });
        assert.match(await svgText(page, `${first} .rate`), /^[\d.]+( k)?\/s$/);
        assert.match(await text(page, "tr[data-state=leader] [data-label='To it']"), /[1-9].*\/s/);
        await shoot(page, "load");
    } finally {
        await stop();
    }
    await page.waitForSelector(".busy", { state: "detached" });
    assert.equal(await svgText(page, `${first} .rate`), "0/s");
    await close();
    assert.deepEqual(wrong, []);
});

test("it has dark colours if the browser prefers them", async () => {
    const colours = {};
    for (const colorScheme of ["light", "dark"]) {
        const { page, close } = await open("b", { ...WIDE, colorScheme });
        colours[colorScheme] = await page.evaluate(() => {
            const lightness = (colour) => colour.match(/\d+/g).slice(0, 3).reduce((sum, c) => sum + Number(c), 0) / 765;
            const style = getComputedStyle(document.body);
            return { ground: lightness(style.backgroundColor), ink: lightness(style.color) };
        });
        await shoot(page, colorScheme);
        await close();
    }
    assert.ok(colours.light.ground > 0.9 && colours.light.ink < 0.2, JSON.stringify(colours));
    assert.ok(colours.dark.ground < 0.1 && colours.dark.ink > 0.8, JSON.stringify(colours));
});

test("a phone shows it without horizontal scrolling", async () => {
    for (const name of ["a", "b"]) {
        const { page, wrong, close } = await open(name, PHONE);
        const wide = await page.evaluate(() => [...document.querySelectorAll("body *")]
            .filter((e) => e.getBoundingClientRect().right > innerWidth + 0.5 && !e.closest(".unseen, thead")).map((e) => e.outerHTML.slice(0, 80)));
        assert.deepEqual(wide, []);
        assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 360);
        assert.ok(await page.locator("svg.flow").isVisible());
        const sizes = await page.evaluate(() => [...document.querySelectorAll("svg.flow .name")].map((e) => e.getBoundingClientRect().height));
        assert.ok(sizes.length === 4 && Math.min(...sizes) > 11, `too small to read: ${sizes}`);
        await shoot(page, `phone-${name}`);
        await close();
        assert.deepEqual(wrong, []);
    }
});

test("axe finds no accessibility problem", async () => {
    for (const options of [WIDE, { ...WIDE, colorScheme: "dark" }, PHONE]) {
        const { page, close } = await open("b", options);
        await page.evaluate(axe);
        const { violations, passes } = await page.evaluate(() => axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21aa", "best-practice"] }));
        assert.deepEqual(violations.map(({ id, impact, nodes }) => `${impact}: ${id}: ${nodes[0].html}`), []);
        assert.ok(passes.some(({ id }) => id === "color-contrast"), "contrast was not looked at");
        await close();
    }
});

test("keyboard navigation works: the first key skips to the content", async () => {
    const { page, close } = await open("b");
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate(() => document.activeElement.textContent), "Skip to the content");
    await page.keyboard.press("Enter");
    assert.equal(await page.evaluate(() => document.activeElement.id), "main");
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate(() => document.activeElement.getAttribute("href")), "/status");
    await close();
});

/** The time at which the page showed another leader, by its own clock, which is this machine's. */
function watchLeader(page) {
    return page.evaluate(() => {
        const place = document.querySelector("h1");
        const before = place.textContent;
        window.changed = new Promise((resolve) => {
            new MutationObserver(() => place.textContent !== before && resolve({ at: Date.now(), name: place.textContent }))
                .observe(place, { childList: true, characterData: true, subtree: true });
        });
    });
}

test("after the leader is killed, the page shows the next one within a second", async () => {
    const { page, wrong, close } = await open("b");
    await watchLeader(page);
    await pods.kill("a");
    let known;
    await pods.waitUntil("b knows another leader", 10000, async () => {
        const name = await pods.leaderOf("b");
        known = { at: Date.now(), name };
        return name && name !== "a";
    });
    const seen = await page.evaluate(() => window.changed);
    assert.equal(seen.name, known.name);
    assert.ok(seen.at - known.at < 1000, `seen ${seen.at - known.at} ms later`);
    console.log(`# seen ${seen.at - known.at} ms after the pod was known to know it`);
    assert.equal(await page.locator("#said").textContent(), `${known.name} leads.`);
    await page.waitForSelector("tr[data-member='127.0.90.1'][data-state=dead]");
    assert.match(await text(page, "#events"), new RegExp(`${known.name} leads, term`));
    await page.waitForFunction(() => /a is dead/.test(document.querySelector("#events").innerText));
    assert.doesNotMatch(await text(page, "#events"), /a is alive/);
    await shoot(page, "after-a-kill");
    await close();
    assert.deepEqual(wrong, []);
    pods.start("a");
    await pods.waitUntil("a is back", 15000, () => pods.isSettled(known.name));
});

test("the page reports that its pod does not respond, and recovers when it does", async () => {
    const { page, close } = await open("c");
    await pods.kill("c");
    await page.waitForSelector("#contact[data-contact=lost]");
    assert.match(await text(page, "#contact"), /^no response since \d\d:\d\d:\d\d UTC$/);
    assert.equal(await page.locator("#said").textContent(), "This pod does not respond.");
    await shoot(page, "lost");
    pods.start("c");
    await page.waitForSelector("#contact[data-contact=live]");
    await pods.waitUntil("it shows a leader", 15000, async () => (await page.locator(".hero").getAttribute("data-leads")) === "yes");
    assert.match(await text(page, "#events"), /this pod responds again/);
    await close();
});
