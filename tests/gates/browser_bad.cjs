// One test that passes, and one that does not.
const assert = require("node:assert/strict");
const { test } = require("node:test");

test("right", () => assert.equal(1, 1));
test("wrong", () => assert.equal(1, 2));
