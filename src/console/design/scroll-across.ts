// Rows of tabs and links that scroll sideways on a phone.

/** Scrolls the row, but not the page, until the chosen tab or link is visible. */
export function scrollAcross(row: HTMLElement | null, chosen: Element | null | undefined): void {
  if (!row || !chosen) return;
  const [area, shown] = [row.getBoundingClientRect(), chosen.getBoundingClientRect()];
  if (shown.left >= area.left && shown.right <= area.right) return;
  row.scrollLeft += (shown.left + shown.right - area.left - area.right) / 2;
}
