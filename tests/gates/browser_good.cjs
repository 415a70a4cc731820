// A test in the browser that passes.
const assert = require("node:assert/strict");
const { test } = require("node:test");
const { chromium } = require("playwright-core");

test("a page has its title", async () => {
    const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: ["--no-sandbox"] });
    const page = await browser.newPage();
    await page.setContent("<title>here</title>");
    assert.equal(await page.title(), "here");
    await browser.close();
});
