import { existsSync } from "node:fs";
import { type Browser, chromium, type Page } from "playwright-core";

const named = process.env.GRAFT_CHROMIUM;
const candidates = named ? [named] : ["/usr/bin/chromium", "/usr/bin/chromium-browser"];

/** The Chromium to test in: the one that GRAFT_CHROMIUM names, else the system's; undefined where there is none. */
export const chromiumPath = candidates.find((path) => existsSync(path));

/** What a test says that does not run without one. */
export const noChromium = `no Chromium at ${candidates.join(" or ")}; install it or name one in GRAFT_CHROMIUM`;

const flags = [
  "--no-sandbox",
  "--disable-quic",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--no-first-run",
];

/** Where there is no GPU, Chromium's own software renderer serves as the adapter. */
const webgpuFlags = ["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader", "--enable-features=Vulkan"];

export function launchChromium(): Promise<Browser> {
  return chromium.launch({ executablePath: chromiumPath as string, args: [...flags, ...webgpuFlags], headless: true });
}

/** A page at `url` whose script has run; what it logs as an error is collected in `errors`. */
export async function openPage(browser: Browser, url: string): Promise<{ page: Page; errors: string[] }> {
  const page = await browser.newPage();
  const errors: string[] = [];
  page.on("pageerror", (error) => errors.push(error.message));
  page.on("console", (message) => {
    // A model folder need not hold all files that are looked for: a 404 is no fault.
    const isMissingFile = message.text().includes("404");
    if (message.type() === "error" && !isMissingFile) errors.push(`${message.text()} (${message.location().url})`);
  });
  await page.goto(url);
  await page.waitForFunction("'tinyRun' in globalThis");
  return { page, errors };
}
