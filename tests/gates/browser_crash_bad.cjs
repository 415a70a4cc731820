// A test that passes, in a program that then fails.
const { test } = require("node:test");

test("right", () => {});
process.on("exit", () => process.exit(3));
