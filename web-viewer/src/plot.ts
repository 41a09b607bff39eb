/** A small line of what was measured in the last minutes. */
const WIDTH = 120;
const HEIGHT = 28;
const SVG = "http://www.w3.org/2000/svg";

/** The line's pieces: where nothing was measured, it is broken. Pure. */
export function pathOf(values: readonly (number | undefined)[]): string {
  const most = Math.max(1e-9, ...values.map((value) => value ?? 0));
  const step = WIDTH / Math.max(1, values.length - 1);
  let pen = "M";
  const pieces = values.map((value, index) => {
    if (value === undefined) {
      pen = "M";
      return "";
    }
    const y = HEIGHT - 1 - (value / most) * (HEIGHT - 2);
    const piece = `${pen}${(index * step).toFixed(1)} ${y.toFixed(1)}`;
    pen = "L";
    return piece;
  });
  return pieces.join("");
}

export function lineOf(values: readonly (number | undefined)[]): SVGSVGElement {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
  svg.setAttribute("class", "plot");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("aria-hidden", "true");
  const line = document.createElementNS(SVG, "path");
  line.setAttribute("d", pathOf(values));
  svg.append(line);
  return svg;
}

/** `label` says what it is and how much it is now, for those who see the line and those who do not. */
export function plot(label: string, values: readonly (number | undefined)[]): HTMLElement {
  const figure = document.createElement("figure");
  const caption = document.createElement("figcaption");
  caption.textContent = label;
  figure.append(caption, lineOf(values));
  return figure;
}
