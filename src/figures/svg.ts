/** Text that HTML and SVG show as it is. */
export function escaped(text: string): string {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}

/** An element; attributes that are undefined are left out. */
export function element(
  name: string,
  attributes: Readonly<Record<string, string | number | undefined>>,
  ...children: readonly string[]
): string {
  const written = Object.entries(attributes)
    .filter(([, value]) => value !== undefined)
    .map(
      ([key, value]) =>
        ` ${key}="${escaped(typeof value === "number" ? String(Number(value.toFixed(2))) : String(value))}"`,
    );
  return `<${name}${written.join("")}>${children.join("")}</${name}>`;
}

/** Text at a place. */
export const label = (
  text: string,
  x: number,
  y: number,
  attributes: Readonly<Record<string, string | number | undefined>> = {},
): string => element("text", { x, y, ...attributes }, escaped(text));

/** A picture of some size in CSS pixels, which shrinks with its place; its title is read to those who do not see it. */
export function picture(width: number, height: number, title: string, ...children: readonly string[]): string {
  return element(
    "svg",
    {
      xmlns: "http://www.w3.org/2000/svg",
      viewBox: `0 0 ${width} ${height}`,
      width,
      height,
      role: "img",
      "aria-label": title,
    },
    ...children,
  );
}
