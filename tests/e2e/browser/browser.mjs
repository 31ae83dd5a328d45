// Debian's Chromium with a fake camera and a profile of its own, for as long as `use` takes.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { chromium } from "playwright-core";

export async function withPage(use, options = {}) {
  const profile = await mkdtemp(join(tmpdir(), "turnpike-chromium-"));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: "/usr/bin/chromium",
    args: [
      "--headless=new",
      "--no-sandbox",
      "--disable-gpu",
      "--disable-background-networking",
      "--use-fake-device-for-media-stream",
      "--use-fake-ui-for-media-stream",
      // Else it would ask its user whether the page may reach a private address.
      "--disable-features=LocalNetworkAccessChecks",
    ],
    ...options,
  });
  try {
    return await use(await context.newPage());
  } finally {
    await context.close();
    await rm(profile, { recursive: true, force: true });
  }
}
