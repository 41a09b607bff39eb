import { defineConfig } from "@playwright/test";

import tests from "./playwright.config.ts";

/** With the real media servers, which `make test-scale` builds. */
export default defineConfig({ ...tests, testDir: "scale", testMatch: "*.scale.ts", timeout: 300_000 });
