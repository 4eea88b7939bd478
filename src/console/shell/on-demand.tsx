// Parts of the console whose code is loaded when they are first shown.

import { type ComponentType, type ReactNode, useEffect, useState } from 'react';
import { Loading } from '../widgets/Notes.tsx';

/**
 * A component that is loaded when it is first shown, and drawn at once from then on. With React's `lazy` its stand-in stays for
 * 300 ms, however fast the code is there: a log opened in 360 ms instead of 60.
 * @param what - named while it is loaded
 */
export function onDemand<P extends object>(what: string, load: () => Promise<ComponentType<P>>): ComponentType<P> {
  let loaded: ComponentType<P> | null = null;
  return function OnDemand(props: P): ReactNode {
    const [Part, setPart] = useState(() => loaded);
    useEffect(() => {
      if (Part !== null) return;
      load().then(
        (part) => {
          loaded = part;
          setPart(() => part);
        },
        (error: unknown) =>
          setPart(() => {
            throw error;
          }),
      );
    }, [Part]);
    return Part === null ? <Loading what={what} /> : <Part {...props} />;
  };
}
