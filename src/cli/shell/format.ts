const grouped = new Intl.NumberFormat("en-US");

/** 667493 -> "667,493". */
export function formatCount(count: number): string {
  return grouped.format(count);
}

const units = ["B", "kB", "MB", "GB", "TB"] as const;

/** Bytes in powers of 1000, three digits: 5242880 -> "5.24 MB". */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return unit === 0 ? `${bytes} B` : `${value.toPrecision(3)} ${units[unit]}`;
}

/** Seconds as "12.3 s", "4:05 min" or "1:02:03 h". */
export function formatDuration(seconds: number): string {
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  const two = (n: number) => String(n).padStart(2, "0");
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  return hours > 0 ? `${hours}:${two(minutes)}:${two(rest)} h` : `${minutes}:${two(rest)} min`;
}

/** A measured number with four significant digits: 0.123456 -> "0.1235", 0.0000005 -> "5.000e-7". */
export function formatNumber(value: number): string {
  if (!Number.isFinite(value) || value === 0) return String(value);
  const size = Math.abs(value);
  if (size >= 1e-4 && size < 1e6) return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(4)));
  return value.toExponential(3);
}

/** A share as a percentage: 0.755 -> "75.50 %". */
export function formatShare(value: number): string {
  return `${(100 * value).toFixed(2)} %`;
}
