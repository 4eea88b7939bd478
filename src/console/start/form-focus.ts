// Puts the focus into the form of a job that was opened to be filled in.

import { type RefObject, useEffect } from 'react';
import { useHistoryState } from 'wouter/use-browser-location';

/** The state of a navigation whose page is opened for its form. */
export const forForm = { isForForm: true } as const;

/** The first field takes the focus, or the button that starts the job. */
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
