// The width of an element, for charts that fill it.

import { type RefObject, useLayoutEffect, useRef, useState } from 'react';

/** 0 until the element is in the page. */
export function useBoxWidth<E extends Element>(): [RefObject<E | null>, number] {
  const box = useRef<E>(null);
  const [width, setWidth] = useState(0);
  useLayoutEffect(() => {
    const measured = box.current;
    if (!measured) return undefined;
    setWidth(measured.getBoundingClientRect().width);
    const watch = new ResizeObserver(([entry]) => entry && setWidth(entry.contentRect.width));
    watch.observe(measured);
    return () => watch.disconnect();
  }, []);
  return [box, width];
}
