import { existsSync } from "node:fs";
import { type Browser, chromium, type Page } from "playwright-core";
import type { Site } from "../../examples/browser/server.js";

const named = process.env.GRAFT_CHROMIUM;
const candidates = named ? [named] : ["/usr/bin/chromium", "/usr/bin/chromium-browser"];

/** The Chromium to test in: the one that GRAFT_CHROMIUM names, else the system's; undefined where there is none. */
export const chromiumPath = candidates.find((path) => existsSync(path));

/** Debian's Chromium brings a Vulkan loader and a driver that computes on the processor. */
export const chromiumFolder = "/usr/lib/chromium";
export const softwareDriver = `${chromiumFolder}/vk_swiftshader_icd.json`;

/** Whether the Chromium of the tests must offer a WebGPU adapter, be it that one. */
export const hasSoftwareAdapter = !named && existsSync(softwareDriver);

const noChromium = `no Chromium at ${candidates.join(" or ")}; install it or name one in GRAFT_CHROMIUM`;

/** Names a group of tests; without a Chromium the name says why they do not run. */
export function inChromium(name: string): string {
  if (chromiumPath) return name;
  // Reporters fold skipped tests away: the reason is to be seen all the same.
  console.warn(`browser tests skipped: ${noChromium}`);
  return `${name} (skipped: ${noChromium})`;
}

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

function launchChromium(): Promise<Browser> {
  return chromium.launch({ executablePath: chromiumPath as string, args: [...flags, ...webgpuFlags], headless: true });
}

/** A page at `url` whose scripts have run; what it logs as an error is collected in `errors`. */
async function openPage(browser: Browser, url: string): Promise<{ page: Page; errors: string[] }> {
  const page = await browser.newPage();
  page.setDefaultTimeout(100_000);
  const errors: string[] = [];
  page.on("pageerror", (error) => errors.push(error.message));
  page.on("console", (message) => {
    // A model folder need not hold all files that are looked for: a 404 is no fault.
    const isMissingFile = message.text().includes("404");
    if (message.type() === "error" && !isMissingFile) errors.push(`${message.text()} (${message.location().url})`);
  });
  await page.goto(url);
  return { page, errors };
}

/** The page of a test file, opened before its tests and closed after them. */
export class TestPage {
  private site: Site | undefined;
  private browser: Browser | undefined;
  private opened: { page: Page; errors: string[] } | undefined;

  async open(openSite: () => Promise<Site>): Promise<void> {
    this.site = await openSite();
    this.browser = await launchChromium();
    this.opened = await openPage(this.browser, this.site.url);
  }

  async close(): Promise<void> {
    await this.browser?.close();
    await this.site?.close();
  }

  get page(): Page {
    return (this.opened as { page: Page }).page;
  }

  get url(): string {
    return (this.site as Site).url;
  }

  /** Evaluates in the page; failures name what the page said. */
  async evaluate<T>(expression: string): Promise<T> {
    try {
      return await this.page.evaluate<T>(expression);
    } catch (error) {
      throw new Error(`the page failed; its console: ${this.opened?.errors.join("; ") || "nothing"}`, { cause: error });
    }
  }
}
