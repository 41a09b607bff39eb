import { defineConfig } from "@playwright/test";

import tests from "./playwright.config.ts";

/** Measures instead of testing: the same browser, other files. */
export default defineConfig({ ...tests, testDir: "bench", testMatch: "*.bench.ts", timeout: 300_000 });
