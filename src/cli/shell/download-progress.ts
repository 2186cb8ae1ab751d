import { type HubProgress, onHubProgress } from "../../hub/index.js";
import { formatBytes, formatDuration } from "./format.js";
import { note } from "./print.js";

/** Downloads below this say nothing. */
const QUIET_BYTES = 2 ** 20;
const REDRAW_MS = 200;
const PLAIN_MS = 10_000;

/** Shows all downloads of a command as one line: how much, how fast, how long yet. */
class DownloadProgress {
  private readonly files = new Map<string, HubProgress>();
  private begun = 0;
  private before = 0;
  private drawn = 0;

  /** Takes what comes; a line is drawn now and then. */
  readonly take = (progress: HubProgress): void => {
    const now = Date.now();
    if (this.files.size === 0) this.begun = now;
    // What an earlier download left does not count for the pace.
    if (!this.files.has(progress.file)) this.before += progress.loaded;
    this.files.set(progress.file, progress);
    const interval = process.stderr.isTTY ? REDRAW_MS : PLAIN_MS;
    const isDone = [...this.files.values()].every(({ loaded, total }) => loaded >= total);
    if (now - this.drawn < interval && !isDone) return;
    this.drawn = now;
    this.draw(now);
  };

  private draw(now: number): void {
    const all = [...this.files.values()];
    const sum = (key: "loaded" | "total") => all.reduce((total, file) => total + file[key], 0);
    const [loaded, total] = [sum("loaded"), sum("total")];
    if (total < QUIET_BYTES) return;
    const rate = (1000 * (loaded - this.before)) / Math.max(1, now - this.begun);
    const left = rate > 0 && loaded < total ? `, ${formatDuration((total - loaded) / rate)} left` : "";
    const count = all.length === 1 ? (all[0]?.file ?? "") : `${all.length} files`;
    const line = `downloading ${count}: ${formatBytes(loaded)} of ${formatBytes(total)}, ${formatBytes(rate)}/s${left}`;
    if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${line}`);
    else note(line);
    if (loaded >= total) this.stop();
  }

  /** Ends the line. */
  stop(): void {
    if (process.stderr.isTTY && this.files.size > 0 && this.drawn > 0) process.stderr.write("\r\x1b[K");
    this.files.clear();
    this.before = 0;
  }
}

/** Shows downloads on standard error, unless HF_HUB_DISABLE_PROGRESS_BARS is set. */
export function downloadProgress(): { stop(): void } {
  const progress = new DownloadProgress();
  const isOff = /^(1|on|yes|true)$/i.test(process.env.HF_HUB_DISABLE_PROGRESS_BARS ?? "");
  onHubProgress(isOff ? undefined : progress.take);
  return progress;
}
