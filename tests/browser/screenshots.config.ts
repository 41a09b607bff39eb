import { defineConfig } from "@playwright/test";

import tests from "./playwright.config.ts";

/** Takes the README's pictures of the page: the same browser, other files. */
export default defineConfig({ ...tests, testDir: "screenshots", testMatch: "*.shots.ts" });
