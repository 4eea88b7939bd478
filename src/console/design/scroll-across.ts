// Rows of tabs and links that scroll sideways on a phone.

/** Brings the chosen one into view. It scrolls the row alone, and not the page. */
export function scrollAcross(row: HTMLElement | null, chosen: Element | null | undefined): void {
  if (!row || !chosen) return;
  const [area, shown] = [row.getBoundingClientRect(), chosen.getBoundingClientRect()];
  if (shown.left >= area.left && shown.right <= area.right) return;
  row.scrollLeft += (shown.left + shown.right - area.left - area.right) / 2;
}
