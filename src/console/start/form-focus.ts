// Puts the focus into the form of a job if a link has opened the page to fill in the form.

import { type RefObject, useEffect } from 'react';
import { useHistoryState } from 'wouter/use-browser-location';

/** The history state that such a link sets. */
export const forForm = { isForForm: true } as const;

/** Focuses the first field, or the button that starts the job if there is no field. */
export function useFormFocus(frame: RefObject<HTMLFormElement | null>): void {
  const state = useHistoryState<typeof forForm | null>();
  useEffect(() => {
    if (!state?.isForForm) return;
    const inputs = 'input, textarea, button';
    const first = frame.current?.querySelector('[id^="field-"]:is(input, textarea, button, fieldset), textarea');
    const input = first?.matches(inputs) ? first : first?.querySelector(inputs);
    const target = input ?? frame.current?.querySelector('[type=submit]');
    if (target instanceof HTMLElement) target.focus();
  }, [state, frame]);
}
