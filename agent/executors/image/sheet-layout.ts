/** Where the tiles of a contact sheet go. Pure. */

export interface SheetOptions {
  readonly count: number;
  readonly columns: number;
  readonly tileWidth: number;
  readonly tileHeight: number;
  /** Pixels between tiles and around them. */
  readonly gap: number;
  /** Height of the line below each tile; 0 = no labels. */
  readonly labelHeight: number;
}

export interface Sheet {
  readonly width: number;
  readonly height: number;
  /** Upper left corner of each tile, row by row. */
  readonly places: readonly { readonly left: number; readonly top: number }[];
}

export function layOut({ count, columns, tileWidth, tileHeight, gap, labelHeight }: SheetOptions): Sheet {
  const used = Math.min(columns, count);
  const rows = Math.ceil(count / columns);
  const rowHeight = tileHeight + labelHeight + gap;
  return {
    width: gap + used * (tileWidth + gap),
    height: gap + rows * rowHeight,
    places: Array.from({ length: count }, (_, index) => ({
      left: gap + (index % columns) * (tileWidth + gap),
      top: gap + Math.floor(index / columns) * rowHeight,
    })),
  };
}

/** A line of text as an SVG of exactly this size. */
export function labelSvg(text: string, width: number, height: number): string {
  const escaped = text.replace(/[&<>"']/g, (mark) => `&#${mark.charCodeAt(0)};`);
  const size = Math.round(height * 0.6);
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">` +
    `<text x="50%" y="${Math.round(height * 0.7)}" text-anchor="middle" font-size="${size}" ` +
    `font-family="DejaVu Sans, Helvetica, Arial, sans-serif" fill="#222222">${escaped}</text></svg>`
  );
}
