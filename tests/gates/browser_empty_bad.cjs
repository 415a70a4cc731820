// Not a single test.
require("node:test");
