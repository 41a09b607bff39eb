import { readFileSync } from "node:fs";

import { expect, test } from "@playwright/test";

import { violations } from "./support/axe.ts";
import { Programs } from "./support/programs.ts";

const GUARDED = `state_dir = "$FILES/state"\n[auth]\nmode = "keys"\n[metrics]\nreport_every = "1s"\n`;
const CAMERA = readFileSync(new URL("broadcaster.toml", import.meta.url), "utf8");

let programs: Programs;

test.beforeEach(async () => {
  programs = await Programs.start(GUARDED);
});
test.afterEach(() => programs.stop());

function operatorKey(): string {
  return /^ok_\S+$/m.exec(programs.command("operator", "add", "ada"))?.[0] ?? "";
}

test("an operator lets a robot in, gives a link away, sees who watches, and sends them away", async ({
  page,
  browser,
}) => {
  await page.goto(`${programs.url}/admin`);
  await page.getByLabel("Key", { exact: true }).fill("ok_guess");
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page.locator("#refusal")).toContainText("operators");
  expect(await violations(page)).toEqual([]);
  await page.getByLabel("Key", { exact: true }).fill(operatorKey());
  // A server that runs looks at what commands have changed a moment later.
  await expect(async () => {
    await page.getByRole("button", { name: "Sign in" }).click();
    await expect(page.locator("#who")).toHaveText("ada", { timeout: 2000 });
  }).toPass();

  await page.getByLabel("New robot").fill("demo");
  await page.getByRole("button", { name: "Add", exact: true }).click();
  const secret = page.locator("#secret-text");
  await expect(secret).toHaveValue(/^key = "pk_\S{43}"$/m);
  const key = /^key = .*$/m.exec(await secret.inputValue())?.[0];
  await page.getByRole("button", { name: "Done" }).click();
  programs.launchRobot(`${key}\n${CAMERA}`);
  const live = page.locator("#live > li");
  await expect(live.getByRole("link", { name: "demo" })).toBeVisible();

  await page.getByLabel("For whom").fill("Bob");
  await page.getByRole("button", { name: "Make a link" }).click();
  await expect(secret).toHaveValue(/\/watch\/demo#token=ey/);
  expect(await violations(page)).toEqual([]);
  const url = await secret.inputValue();
  await page.getByRole("button", { name: "Done" }).click();
  const viewer = await browser.newPage();
  await viewer.goto(url);
  await expect(viewer.locator("body")).toHaveAttribute("data-state", "live");

  await expect(live.getByText("1 viewer ·")).toBeVisible();
  await expect(live.getByText(/\d+ fps$/).first()).toBeVisible();
  await expect(live.getByRole("img").first()).toHaveJSProperty("complete", true);
  await expect
    .poll(() =>
      live
        .getByRole("img")
        .first()
        .evaluate((image: HTMLImageElement) => image.naturalWidth),
    )
    .toBe(960);
  expect(await violations(page)).toEqual([]);
  await page.screenshot({ path: test.info().outputPath("operators.png"), fullPage: true });

  await live.getByRole("button", { name: /^Send away/ }).click();
  await expect(viewer.locator("#problem")).toContainText("operator has ended");
  await expect(live.getByText("0 viewers ·")).toBeVisible();
  await viewer.reload();
  await expect(viewer.locator("body")).toHaveAttribute("data-state", "live");

  await page.getByRole("button", { name: "Take back" }).click();
  await expect(viewer.locator("#problem")).toContainText("withdrawn", { timeout: 5000 });
  await viewer.close();

  page.on("dialog", (dialog) => void dialog.accept());
  await page.getByRole("button", { name: "Remove" }).click();
  await expect(page.locator("#nobody")).toBeVisible();
  await expect(page.locator("#events")).toContainText("Robot demo left.");
  await page.getByRole("button", { name: "Sign out" }).click();
  await expect(page.getByRole("button", { name: "Sign in" })).toBeVisible();
  await page.reload();
  await expect(page.getByRole("button", { name: "Sign in" })).toBeVisible();
});
